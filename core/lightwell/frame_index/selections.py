"""Virtual selections: which frames of which datasets, and how they were found."""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import numpy as np

from lightwell.errors import NotFound, ParameterError, UnreadableFile
from lightwell.files import complete_file
from lightwell.words import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FrameRuns", "Selection", "SelectionStore", "runs_text"]

_VERSION: Final = 1
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_TEXT: Final = 2000
_RUN: Final = re.compile(r"\d+(-\d+)?")


@dataclass(frozen=True, eq=False)
class FrameRuns:
    """Some of the frames of one dataset. runs : (run, 2) first frame, and the one after the last.

    of : how many frames there are.
    """

    runs: "NDArray[np.int64]"
    of: int

    @classmethod
    def from_frames(cls, frames: "Sequence[int] | NDArray[Any]", of: int) -> Self:
        """Return the runs of some frames in rising order.

        >>> FrameRuns.from_frames([0, 1, 2, 7], 10).text
        '0-2,7'
        """
        wanted = np.unique(np.asarray(frames, "i8"))
        if wanted.size and (wanted[0] < 0 or wanted[-1] >= of):
            raise ParameterError(f"a selection names frame {wanted[-1]}, there are {of}")
        breaks = np.flatnonzero(np.diff(wanted) != 1)
        first = wanted[np.concatenate([[0], breaks + 1]).astype("i8")] if wanted.size else wanted
        last = wanted[np.concatenate([breaks, [len(wanted) - 1]]).astype("i8")] if (
            wanted.size
        ) else wanted  # fmt: skip
        return cls(np.stack([first, last + 1], axis=1), of)

    @classmethod
    def parse(cls, text: str, of: int) -> Self:
        """Return the runs that `text` stands for; raises `ParameterError` if it is none."""
        try:
            if text.startswith("bits:"):
                packed = zlib.decompress(base64.b64decode(text[5:], validate=True))
                bits = np.unpackbits(np.frombuffer(packed, "u1"), count=of)
                return cls.from_frames(np.flatnonzero(bits), of)
            words = text.split(",") if text else []
            if not all(_RUN.fullmatch(word) for word in words):
                raise ValueError(text[:80])
            pairs = [[int(n) for n in word.split("-")] for word in words]
            runs = np.array([[pair[0], pair[-1] + 1] for pair in pairs], "i8").reshape(-1, 2)
        except (ValueError, zlib.error) as error:
            raise ParameterError(
                f"{text[:80]!r} names no frames", remedy="Write e.g. 0-19,45"
            ) from error
        flat = runs.reshape(-1)
        if (np.diff(flat) < 0).any() or (flat.size and flat[-1] > of):
            raise ParameterError(f"the frames {text[:80]!r} do not rise within 0-{of - 1}")
        return cls(runs, of)

    def __len__(self) -> int:
        return int((self.runs[:, 1] - self.runs[:, 0]).sum())

    def frames(self) -> "NDArray[np.int64]":
        """Return the number of every frame, in rising order."""
        lengths = self.runs[:, 1] - self.runs[:, 0]
        before = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
        shift: NDArray[np.int64] = np.repeat(self.runs[:, 0] - before, lengths)
        shift += np.arange(len(shift))
        return shift

    @property
    def text(self) -> str:
        """The frames as "0-19,45"; as a compressed bit for each frame where that is too long."""
        found = runs_text(self.runs)
        if len(found) <= _LONGEST_TEXT:
            return found
        bits = np.zeros(self.of, bool)
        bits[self.frames()] = True
        return "bits:" + base64.b64encode(zlib.compress(np.packbits(bits).tobytes(), 9)).decode()

    def digest(self) -> str:
        """Return the sha-256 of the frames, however they are written down."""
        content = np.ascontiguousarray(self.runs, "<i8").tobytes() + f"/{self.of}".encode()
        return hashlib.sha256(content).hexdigest()


def runs_text(runs: "NDArray[Any]", *, at_most: int | None = None) -> str:
    """Return runs as "0-19,45", the first few of them if there are more than asked for."""
    shown = runs if at_most is None else runs[:at_most]
    words = [str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in shown.tolist()]
    return ",".join(words) + (",…" if len(shown) < len(runs) else "")


@dataclass(frozen=True, eq=False)
class Selection:
    """Frames of datasets: pid -> runs. question : what they answer; notes : what to know of it."""

    question: str
    parts: Mapping[str, FrameRuns]
    notes: tuple[str, ...] = ()
    looked: Mapping[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, FrameRuns]]:
        return iter(self.parts.items())

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def frames(self) -> int:
        """How many frames are selected."""
        return sum(map(len, self.parts.values()))

    def only(self) -> tuple[str, FrameRuns]:
        """Return the one dataset and its frames; raises `ParameterError` for none or several."""
        if len(self.parts) != 1:
            shown = ", ".join(list(self.parts)[:3]) + (", …" if len(self.parts) > 3 else "")
            raise ParameterError(
                f"the selection has frames of {len(self.parts)} datasets ({shown or 'none'}), "
                "and a recipe takes one",
                remedy="Run it on each: lightwell run RECIPE PID --frames NAME",
            )
        return next(iter(self.parts.items()))

    def to_json(self) -> dict[str, Any]:
        """Return the selection as plain data."""
        return {
            "lightwell_selection": _VERSION,
            "question": self.question,
            "datasets": [
                {"pid": pid, "count": len(runs), "of": runs.of, "frames": runs.text}
                for pid, runs in self.parts.items()
            ],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, content: Any, *, where: str) -> Self:
        """Read a selection back; raises `UnreadableFile`."""
        try:
            if content["lightwell_selection"] != _VERSION:
                raise ValueError(f"version {content['lightwell_selection']}")
            parts = {
                each["pid"]: FrameRuns.parse(each["frames"], each["of"])
                for each in content["datasets"]
            }
            return cls(content["question"], parts, tuple(content["notes"]))
        except (KeyError, TypeError, ValueError, ParameterError) as error:
            raise UnreadableFile(
                f"this is no selection of frames ({error})",
                where=where,
                remedy="Make it again by lightwell frames … --save NAME",
            ) from error


class SelectionStore:
    """The selections one user has saved, by name; nobody else's are looked at."""

    def __init__(self, home: Path, user: str) -> None:
        # The prefix keeps a user called ".." inside.
        self._folder = home / "selections" / f"of-{quote(user, safe='')}"

    def save(self, name: str, selection: Selection) -> Path:
        """Keep a selection, in place of an earlier one of that name; raises `ParameterError`."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with complete_file(path) as part:
            part.write_text(json.dumps(selection.to_json(), indent=1), encoding="utf-8")
        return path

    def load(self, name: str) -> Selection:
        """Return the selection of a name; raises `NotFound`, `UnreadableFile`."""
        path = self._path(name)
        if not path.exists():
            raise NotFound(f"there is no selection {name!r}", remedy=nearest(name, self.names()))
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UnreadableFile(
                f"the selection cannot be read ({error})", where=str(path)
            ) from error
        return Selection.from_json(content, where=str(path))

    def has(self, name: str) -> bool:
        """Tell whether there is a selection of that name."""
        return _may_be_called(name) and self._path(name).exists()

    def names(self) -> list[str]:
        """Return the names of all selections."""
        return sorted(path.stem for path in self._folder.glob("*.json") if path.name[0] != ".")

    def _path(self, name: str) -> Path:
        if not _may_be_called(name):
            raise ParameterError(
                f"{name!r} cannot be the name of a selection",
                remedy="Take letters, digits and _ . -, up to 64, not beginning with lw-",
            )
        return self._folder / f"{name}.json"


def _may_be_called(name: str) -> bool:
    """Tell whether a text can be a selection's name: no identifier of a dataset, no question."""
    return _NAME.fullmatch(name) is not None and not name.startswith("lw-")
