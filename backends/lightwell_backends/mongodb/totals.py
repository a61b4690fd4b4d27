"""How much there is: sums per owner, kept with every write."""

from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.database import Database

from lightwell.catalog.totals import COUNTED, Share, Totals, share_of
from lightwell_backends.mongodb.compiler import Filter
from lightwell_backends.mongodb.documents import SHARE
from lightwell_backends.mongodb.server import Document

__all__ = ["OwnerSums", "kept_totals", "seen_totals"]


class OwnerSums:
    """The sums of owners as they will be, begun from the stored ones."""

    def __init__(self, database: "Database[Document] | None" = None) -> None:
        self._database = database
        self._sums: dict[str, Share] = {}

    def replace(
        self, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
    ) -> list[Document]:
        """Take one document for another; return the sums that are to be stored."""
        owners = []
        for document, sign in ((before, -1), (after, 1)):
            if document is not None:
                owner = str(document.get("owner", ""))
                here = self._of(owner)
                share = share_of(document)
                self._sums[owner] = Share(*(a + sign * b for a, b in zip(here, share, strict=True)))
                owners.append(owner)
        return [self._stored(owner) for owner in dict.fromkeys(owners)]

    def documents(self) -> list[Document]:
        """Return all sums as they are stored."""
        return [self._stored(owner) for owner in self._sums]

    def _of(self, owner: str) -> Share:
        if owner not in self._sums:
            found = (
                self._database["total"].find_one({"_id": owner})
                if self._database is not None
                else None
            )
            self._sums[owner] = Share(*(found[name] for name in COUNTED)) if found else Share(0)
        return self._sums[owner]

    def _stored(self, owner: str) -> Document:
        return {"_id": owner, **self._sums[owner]._asdict()}


def kept_totals(database: "Database[Document]") -> Totals:
    """Return the totals as they are kept, and what the catalog takes."""
    found = [each for each in database["total"].find() if each["datasets"] > 0]
    size = int(database.command("dbStats")["totalSize"])
    return _totals(found, catalog=size)


def seen_totals(database: "Database[Document]", condition: Filter) -> Totals:
    """Return the totals of the datasets that fulfil a condition."""
    sums = {name: {"$sum": f"${SHARE}.{name}"} for name in COUNTED}
    pipeline = [{"$match": condition}, {"$group": {"_id": "$owner", **sums}}]
    return _totals(list(database["dataset"].aggregate(pipeline)))


def _totals(owners: Iterable[Document], catalog: int | None = None) -> Totals:
    every = list(owners)
    sums = {name: sum(int(each[name]) for each in every) for name in COUNTED}
    return Totals(**sums, users=len(every), catalog=catalog)
