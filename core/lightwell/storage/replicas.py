"""Copies of files on stores, each with the evidence for what is said of it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from lightwell.datasets import ReplicaSummary
from lightwell.errors import ParameterError
from lightwell.manifests import Manifest
from lightwell.storage.stores import Store, Stores

__all__ = ["Evidence", "Replica", "ReplicaState", "replicas_of", "summaries_of"]

ReplicaState: TypeAlias = Literal[
    "online",
    "nearline",
    "online_and_nearline",
    "staging",
    "partial",
    "unavailable",
    "lost",
    "corrupt",
]


@dataclass(frozen=True, slots=True)
class Evidence:
    """When, by whom and how a copy was last looked at, and the digest that was found.

    `digest` is absent where the method did not read the content, e.g. a listing.
    """

    when: str
    by: str
    method: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of one file of a manifest; `path` is its place below the root of the store."""

    store: str
    name: str
    path: str
    size: int
    digest: str | None
    state: ReplicaState
    evidence: Evidence

    @property
    def proven(self) -> bool:
        """Whether the content of this copy was read and found to be what it should be."""
        return self.digest is not None and self.evidence.digest == self.digest

    def to_document(self) -> dict[str, Any]:
        """Return this replica as JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Replica":
        """Return the replica a document describes; raises `ParameterError` if it is none."""
        try:
            values = dict(document)
            return cls(**{**values, "evidence": Evidence(**values["evidence"])})
        except (KeyError, TypeError) as error:
            raise ParameterError(f"this describes no replica ({error})") from error


def replicas_of(
    manifest: Manifest, store: Store, *, when: str, by: str, method: str = "ingest"
) -> tuple[Replica, ...]:
    """Return the copies a manifest just built stands for: its files, where they were read.

    Raises `UnknownName` if they do not lie in the store.
    """
    return tuple(
        Replica(
            store.name,
            file.name,
            store.relative(manifest.file(file.name)),
            file.size,
            file.sha256,
            "online",
            Evidence(when, by, method, file.sha256),
        )
        for file in manifest.files
    )


def summaries_of(replicas: Iterable[Replica], stores: Stores) -> tuple[ReplicaSummary, ...]:
    """Return how much lies on which store in which state, as a dataset's document says it.

    Raises `UnknownName` for a store there is none of.
    """
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    for each in replicas:
        files, size = totals.get((each.store, each.state), (0, 0))
        totals[each.store, each.state] = (files + 1, size + each.size)
    return tuple(
        ReplicaSummary(store, stores[store].tier, state, files, size)
        for (store, state), (files, size) in sorted(totals.items())
    )
