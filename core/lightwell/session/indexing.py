"""Frames of a scan, indexed when it is ingested, and again when somebody asks for it."""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from lightwell.datasets import Dataset, now
from lightwell.errors import InputError, LightwellError, ParameterError
from lightwell.frame_index import FrameIndex, find_channels, frame_stack
from lightwell.frame_index.channels import channel_values
from lightwell.frame_index.statistics import STATISTICS, compute_statistics, tiles_path
from lightwell.frame_index.summary import frames_summary
from lightwell.model import Flag
from lightwell.session.descriptions import read_description, write_description
from lightwell.stacks import open_array
from lightwell.storage import Evidence

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from lightwell.installation import Installation
    from lightwell.session.session import Session

__all__ = ["index_again", "reindex_frames", "with_frames"]


def with_frames(
    installation: "Installation", dataset: Dataset, *, statistics: bool | None = None
) -> Dataset:
    """Index the frames of a dataset and return it with a summary of them.

    statistics : read all pixels; as the settings say if not given, and never again what is known.
    A channel that cannot be read is left out and flagged.
    Errors: what reading the pixels raises.
    """
    stack = frame_stack(dataset.entry)
    if stack is None or not stack.shape[0]:
        return dataset
    index = installation.frame_index
    channels, flags = _read_channels(dataset)
    wanted = installation.settings.frame_statistics if statistics is None else statistics
    known = _known_statistics(installation, dataset)
    if known:
        channels |= known
    elif wanted and stack.ndim in (2, 3):
        made = compute_statistics(
            open_array(stack, dataset.manifest), tiles_path(index.folder, dataset.pid)
        )
        unit = stack.unit or ""
        channels |= {(name, unit): values for name, values in made.items()}
    if flags:
        dataset = replace(dataset, entry=dataset.entry.with_flags(*flags))
    if not channels:
        return replace(dataset, frames={"count": stack.shape[0]})
    return replace(dataset, frames=frames_summary(index.add(dataset.pid, channels)))


def index_again(session: "Session", pid: str, *, statistics: bool) -> Dataset:
    """Index the frames of a remembered dataset anew, and say so in description and catalog.

    Errors: NotFound; ParameterError for a dataset without frames; what reading raises.
    """
    from lightwell.hdf5 import release

    installation = session.installation
    dataset = session.get(pid)
    if dataset.kind == "derived" or frame_stack(dataset.entry) is None:
        raise ParameterError(
            f"{pid} has no frames to index", remedy="Give the pid of a scan; `lightwell find`"
        )
    try:
        indexed = with_frames(installation, dataset, statistics=statistics)
        if indexed.frames == dataset.frames:
            return dataset
        path = installation.folder("entries") / f"{pid}.nxs"
        described = read_description(path, installation)
        seen = Evidence(now(), session.user.name, "frames")
        if described.replicas:
            seen = described.replicas[0].evidence
        plain = replace(described.dataset, frames=indexed.frames)
        write_description(path, plain, seen)
        return session.catalog.put(plain, by=session.user)
    finally:
        release()


def reindex_frames(installation: "Installation") -> int:
    """Make the tables of the frame index anew; return how many datasets they hold.

    Records that are gone or damaged are read again from the scans, where those can be read; the
    others are left for fsck to tell of.
    """
    index = installation.frame_index
    if not index.folder.exists() and not (installation.home / "entries").exists():
        return 0
    for path in sorted((installation.home / "entries").glob("*.nxs")):
        with suppress(LightwellError):
            if _is_whole(index, path.stem):
                continue
            dataset = read_description(path, installation).dataset
            with_frames(installation, dataset, statistics=False)
    return index.rebuild()


def _is_whole(index: FrameIndex, pid: str) -> bool:
    try:
        return index.get(pid) is not None
    except LightwellError:
        return False


def _read_channels(
    dataset: Dataset,
) -> "tuple[dict[tuple[str, str], NDArray[Any]], list[Flag]]":
    """Return (name, unit) -> values of all channels that can be read, and flags for the others."""
    import numpy as np

    found: dict[tuple[str, str], NDArray[Any]] = {}
    flags = []
    for channel in find_channels(dataset.entry):
        try:
            values = open_array(channel.ref, dataset.manifest).read()
        except LightwellError as error:
            why = f"The values of {channel.name} cannot be read: {error.what}."
            flags.append(Flag(code="channel-unreadable", message=why, path=channel.path))
            continue
        if values.dtype.kind not in "biuf":
            continue
        unit, kept = channel_values(channel.name, channel.ref.unit, values)
        # A plot often shows the same array under a second name.
        shown_again = channel.path.startswith("data.") and any(
            known == unit and np.array_equal(kept, other, equal_nan=kept.dtype.kind == "f")
            for (_, known), other in found.items()
        )
        if not shown_again:
            found[channel.name, unit] = kept
    return found, flags


def _known_statistics(
    installation: "Installation", dataset: Dataset
) -> "dict[tuple[str, str], NDArray[Any]]":
    """Return statistics of pixels that were made before: the pid says that the pixels are these."""
    index = installation.frame_index
    try:
        records = index.get(dataset.pid)
        if records is None or not tiles_path(index.folder, dataset.pid).exists():
            return {}
    except InputError:
        return {}
    return {(s.name, s.unit): v for s, v in records.values.items() if s.name in STATISTICS}
