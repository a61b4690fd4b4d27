"""How much there is: counted in the transaction of each change, and by counting anew."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

__all__ = ["COUNTED", "Share", "Totals", "share_of", "totals_of"]

_GONE: Final = ("lost", "corrupt")


class Share(NamedTuple):
    """What one dataset adds to the totals; sizes in bytes."""

    datasets: int = 0
    retired: int = 0
    total: int = 0
    raw: int = 0
    tape: int = 0
    disk: int = 0


COUNTED: Final = Share._fields


@dataclass(frozen=True, slots=True)
class Totals:
    """Datasets, sizes in bytes (of all, of raw ones, of copies on tape and on disk), and owners.

    `retired` ones are among the datasets. `catalog` is what the catalog itself takes, None for
    who may not see all of it.
    """

    datasets: int
    retired: int
    total: int
    raw: int
    tape: int
    disk: int
    users: int
    catalog: int | None = None


def share_of(document: Mapping[str, Any]) -> Share:
    """Return what a catalog document adds to the totals.

    >>> tape = {"tier": "tape", "state": "nearline", "bytes": 5}
    >>> share_of({"kind": "raw", "manifest": {"bytes": 5}, "replicas": [tape]})
    Share(datasets=1, retired=0, total=5, raw=5, tape=5, disk=0)
    """
    size = int(document.get("manifest", {}).get("bytes", 0))
    on: dict[str, int] = {}
    for copy in document.get("replicas", ()):
        if copy["state"] not in _GONE:
            on[copy["tier"]] = on.get(copy["tier"], 0) + int(copy["bytes"])
    raw = size if document.get("kind") == "raw" else 0
    retired = int(bool(document.get("retired")))
    return Share(1, retired, size, raw, on.get("tape", 0), on.get("disk", 0))


def totals_of(documents: Iterable[Mapping[str, Any]], catalog: int | None = None) -> Totals:
    """Return the totals of some catalog documents, counted one by one."""
    shares, owners = [Share(0)], set()
    for document in documents:
        shares.append(share_of(document))
        owners.add(document.get("owner"))
    sums = Share(*map(sum, zip(*shares, strict=True)))
    return Totals(**sums._asdict(), users=len(owners), catalog=catalog)
