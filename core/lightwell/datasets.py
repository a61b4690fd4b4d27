"""An entry with identity: what the catalog remembers of one measurement or result."""

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from lightwell.errors import InputError, NotFound, ParameterError
from lightwell.manifests import Manifest
from lightwell.model import Entry, Flag, entry_from_document

__all__ = [
    "LARGEST_DOCUMENT",
    "Dataset",
    "Given",
    "Kind",
    "ManifestSummary",
    "ReplicaSummary",
    "make_pid",
    "moment_text",
    "now",
]

_DATE: Final = len("2013-07-13")

Kind: TypeAlias = Literal["raw", "derived"]

LARGEST_DOCUMENT: Final = 64 * 1024
"""Bytes of JSON a catalog document may take; the files keep what does not fit."""


def make_pid(content_digest: str, entry_name: str) -> str:
    """Return the identifier of an entry in files of a content: the same wherever they lie.

    >>> make_pid("ab12", "entry")
    'lw-3zaok6jpmdmnspzx'
    """
    proof = hashlib.sha256(f"{content_digest}\0{entry_name}".encode()).digest()
    return "lw-" + base64.b32encode(proof).decode().lower()[:16]


def moment_text(moment: datetime | str) -> str:
    """Return a moment as UTC text of fixed width, which sorts by time.

    A moment without a zone stays without one, and a text that is only a date stays as it is.

    >>> moment_text("2013-07-13T18:57:17-07:00"), moment_text("2013-07")
    ('2013-07-14T01:57:17.000000Z', '2013-07')
    """
    if isinstance(moment, str):
        with suppress(ValueError):
            moment = datetime.fromisoformat(moment) if len(moment) > _DATE else moment
    if isinstance(moment, str):
        return moment
    if moment.tzinfo is None:
        return moment.isoformat(timespec="microseconds")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now() -> str:
    """Return the present moment as the catalog writes it."""
    return moment_text(datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class ManifestSummary:
    """What the catalog document says of a manifest; the list of files has its own table."""

    digest: str
    files: int
    bytes: int
    root: str

    @classmethod
    def of(cls, manifest: Manifest) -> "ManifestSummary":
        """Return the summary of a manifest."""
        return cls(manifest.digest(), len(manifest.files), manifest.size, manifest.root)


@dataclass(frozen=True, slots=True)
class ReplicaSummary:
    """How much of a dataset lies on one store, in one state."""

    store: str
    tier: str
    state: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a person gave, because the files do not say it."""

    value: Any
    by: str


@dataclass(frozen=True)
class Dataset:
    """An entry with identity, files, owner and lineage.

    `path` is what a person names it by (file or folder), `entry_name` the entry inside, `options`
    what a person told the importer, `job` how a derived one was made (recipe, parameters,
    estimates, digests), `frames` what is known of single frames (their number, and the smallest
    and largest value of every channel). `rev` counts changes in the catalog; 0 is not stored yet.
    """

    pid: str
    kind: Kind
    importer: str
    path: str
    entry: Entry
    summary: ManifestSummary
    owner: str
    created: str = field(default_factory=now)
    entry_name: str = ""
    proposal: str | None = None
    options: Mapping[str, Given] = field(default_factory=dict)
    derived_from: tuple[str, ...] = ()
    job: Mapping[str, Any] = field(default_factory=dict)
    frames: Mapping[str, Any] = field(default_factory=dict)
    replicas: tuple[ReplicaSummary, ...] = ()
    retired: bool = False
    superseded_by: str | None = None
    rev: int = 0
    file_list: Manifest | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls, entry: Entry, manifest: Manifest, *, kind: Kind, importer: str, path: str, owner: str,
        entry_name: str = "", **more: Any,
    ) -> "Dataset":  # fmt: skip
        """Return a new dataset whose identity is the content of its manifest.

        >>> dataset = Dataset.of(Entry(), Manifest("file:///x", ()), kind="raw",
        ...                      importer="test", path="/x", owner="mia")
        >>> dataset.pid.startswith("lw-"), dataset.rev
        (True, 0)
        """
        summary = ManifestSummary.of(manifest)
        return cls(
            pid=make_pid(summary.digest, entry_name),
            kind=kind,
            importer=importer,
            path=path,
            entry=entry,
            summary=summary,
            owner=owner,
            entry_name=entry_name,
            file_list=manifest,
            **{"proposal": entry.experiment_identifier, **more},
        )

    @property
    def manifest(self) -> Manifest:
        """The list of files; raises `NotFound` for a dataset of a listing, which has none."""
        if self.file_list is None:
            raise NotFound(
                f"the list of files of {self.pid} was not read with it",
                remedy="Get the dataset by its pid",
            )
        return self.file_list

    @property
    def definition(self) -> str | None:
        """The NeXus application definition, also where its plugin is not installed."""
        return self.entry.definition_name

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What a reader of this dataset should know."""
        return self.entry.flags

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers of the stores that hold files of it, each once."""
        return tuple(dict.fromkeys(replica.tier for replica in self.replicas))

    def with_manifest(self, manifest: Manifest) -> "Dataset":
        """Return the dataset with its list of files."""
        return replace(self, file_list=manifest)

    def to_document(self) -> dict[str, Any]:
        """Return what the catalog keeps, at most `LARGEST_DOCUMENT` bytes of JSON.

        The largest original values are left out of a larger one, which then carries the flag
        "document-trimmed"; raises `ParameterError` if that is not enough.
        """
        canonical = {
            key: moment_text(value) if isinstance(value, datetime) else value
            for key, value in self.entry.canonical().items()
        }
        own = {
            "pid": self.pid,
            "rev": self.rev,
            "kind": self.kind,
            "definition": self.definition,
            "importer": self.importer,
            "path": self.path,
            "entry_name": self.entry_name,
            "owner": self.owner,
            "proposal": self.proposal,
            "created": self.created,
            "manifest": asdict(self.summary),
            "replicas": [asdict(replica) for replica in self.replicas],
            "options": {name: asdict(given) for name, given in self.options.items()},
            "derived_from": list(self.derived_from),
            "job": dict(self.job),
            "frames": dict(self.frames),
            "flags": sorted({flag.code for flag in self.flags}),
            "retired": self.retired,
            "superseded_by": self.superseded_by,
            "canonical": canonical,
            "entry": self.entry.document(),
        }
        # An empty list is left out, so that asking whether there is one has an honest answer.
        return _trimmed({key: value for key, value in own.items() if value not in (None, [], {})})

    @classmethod
    def from_document(
        cls, document: Mapping[str, Any], schemas: Mapping[str, type[Entry]] | None = None
    ) -> "Dataset":
        """Return the dataset of a catalog document, with the schemas that are installed.

        Raises `InputError` if it is none.
        """
        try:
            own = {key: document[key] for key in _PLAIN if key in document}
            return cls(
                **own,
                entry=entry_from_document(document.get("entry", {}), schemas),
                summary=ManifestSummary(**document["manifest"]),
                options={
                    name: Given(**given) for name, given in document.get("options", {}).items()
                },
                derived_from=tuple(document.get("derived_from", ())),
                replicas=tuple(ReplicaSummary(**each) for each in document.get("replicas", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"a catalog document describes no dataset ({error!r})",
                where=str(document.get("pid")),
                remedy="Rebuild the catalog from the files by `lightwell reindex`",
            ) from error


_PLAIN: Final = (
    *("pid", "rev", "kind", "importer", "path", "entry_name", "owner", "proposal", "created"),
    *("job", "frames", "retired", "superseded_by"),
)


def _trimmed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document small enough, without the largest original values if need be."""
    size = _bytes(document)
    if size <= LARGEST_DOCUMENT:
        return document
    flag = {
        "code": "document-trimmed",
        "message": "The catalog leaves out some original values; the files hold them.",
    }
    entry = document.get("entry", {})
    original = dict(entry.get("original", {}))
    size += _bytes(flag) + 64
    for key in sorted(original, key=lambda key: _bytes(original[key]), reverse=True):
        if size <= LARGEST_DOCUMENT:
            break
        size -= _bytes({key: original.pop(key)})
    if size > LARGEST_DOCUMENT:
        raise ParameterError(
            f"the description takes {size} bytes without its original values, "
            f"the catalog keeps {LARGEST_DOCUMENT}",
            where=document["path"],
            remedy="Values of single frames belong in arrays, not in the entry",
        )
    flags = sorted({*document.get("flags", ()), flag["code"]})
    known = [each for each in entry.get("flags", ()) if each["code"] != flag["code"]]
    entry = {**entry, "original": original, "flags": [*known, flag]}
    return {**document, "flags": flags, "entry": entry}


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace"))
