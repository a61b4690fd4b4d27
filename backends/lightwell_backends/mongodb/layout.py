"""The collections of a catalog, their indexes, and the version of both."""

from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.database import Database

from lightwell.catalog.records import Index
from lightwell.errors import UnreadableFile
from lightwell_backends.mongodb.documents import FILES, FOLDS, RETIRED, SHARE, TERMS, WRITE
from lightwell_backends.mongodb.server import Document

__all__ = ["ADDED", "NEWEST", "OWN_INDEXES", "STATE", "WRITER", "make_indexes", "prepare"]

STATE: Final = "state"
WRITER: Final = "writer"
_LAYOUT: Final = "layout"
_VERSION: Final = 1
ADDED: Final = "added:"
"""What the name of an index begins with that somebody added."""

NEWEST: Final = (("created", DESCENDING), ("pid", DESCENDING))

OWN_INDEXES: Final[dict[str, tuple[tuple[tuple[str, int], ...], str]]] = {
    "newest": (((RETIRED, ASCENDING), *NEWEST), "the newest that are not retired"),
    "newest_of_all": (NEWEST, "the newest, retired ones too"),
    **{
        f"newest_of_{name}": (((name, ASCENDING), *NEWEST), f"the newest of one {name}")
        for name in ("kind", "definition", "owner", "proposal")
    },
    "path": ((("path", ASCENDING),), "one path"),
    "importer": ((("importer", ASCENDING),), "one importer"),
    "words": (((TERMS, ASCENDING),), "beginnings of words"),
}
_EVERYTHING: Final = "everything"


def _models() -> list[IndexModel]:
    models = [IndexModel(list(keys), name=name) for name, (keys, _) in OWN_INDEXES.items()]
    hidden = {TERMS: 0, FOLDS: 0, FILES: 0, SHARE: 0, WRITE: 0}
    every = IndexModel([("$**", ASCENDING)], name=_EVERYTHING, wildcardProjection=hidden)
    return [*models, every]


def make_indexes(collection: "Collection[Document]") -> None:
    """Make the indexes every catalog has, and those somebody added."""
    collection.create_indexes(_models())


def prepare(database: "Database[Document]", location: str) -> None:
    """Make collections and indexes where there are none.

    Raises `UnreadableFile` for a catalog of a later version.
    """
    found = database[STATE].find_one({"_id": _LAYOUT})
    version = int(found["version"]) if found else 0
    if version > _VERSION:
        raise UnreadableFile(
            f"the catalog has the layout {version}, this lightwell knows {_VERSION}",
            where=location,
            remedy="Update lightwell",
        )
    if version == _VERSION:
        return
    make_indexes(database["dataset"])
    database["journal"].create_index([("pid", ASCENDING), ("_id", ASCENDING)], name="pid")
    database["manifest"].create_index([("key", ASCENDING), ("part", ASCENDING)], name="key")
    database["replica"].create_index(
        [("pid", ASCENDING), ("store", ASCENDING), ("path", ASCENDING)], name="place", unique=True
    )
    database["change"].create_index([("pid", ASCENDING)], name="pid")
    # The lock that writers take, with the numbers of the last write, event and change.
    numbers = {"write": 0, "event": 0, "change": 0}
    fresh: dict[str, Any] = {"holder": None, "until": None, "intent": None, **numbers}
    database[STATE].update_one({"_id": WRITER}, {"$setOnInsert": fresh}, upsert=True)
    database[STATE].replace_one({"_id": _LAYOUT}, {"version": _VERSION}, upsert=True)


def described(name: str, keys: list[tuple[str, Any]]) -> Index:
    """Return an index of the server in our words."""
    if name == "_id_":
        return Index("pid", ("pid",), "a dataset by its pid")
    if name == _EVERYTHING:
        answers = "=, <, <=, >, >=, in and exists on every field, each value of a list"
        return Index(name, ("*",), answers)
    if name in OWN_INDEXES:
        own, answers = OWN_INDEXES[name]
        return Index(name, tuple(field for field, _ in own), answers)
    fields = tuple(field for field, _ in keys)
    return Index(name, fields, f"the newest of one {fields[0]}", added=name.startswith(ADDED))
