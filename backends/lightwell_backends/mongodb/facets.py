"""The values of a field counted by the server, as the language understands lists and types."""

from typing import Any, Final

from lightwell_backends.mongodb.compiler import Filter
from lightwell_backends.mongodb.documents import RETIRED, path_of
from lightwell_backends.mongodb.layout import NEWEST

__all__ = ["facet_pipeline"]

_SCALARS: Final = ["double", "int", "long", "string", "bool"]
_KIND: Final = {
    "$switch": {
        "branches": [
            {"case": {"$eq": [{"$type": "$v"}, "bool"]}, "then": "b"},
            {"case": {"$eq": [{"$type": "$v"}, "string"]}, "then": "s"},
        ],
        "default": "n",
    }
}


def facet_pipeline(
    field: str, condition: Filter, at_most: int, newest: int | None
) -> list[dict[str, Any]]:
    """Return the aggregation that counts, per value, the documents that have it, most first.

    newest : how many documents are looked at, the newest that match; all for None.
    A document that has a value twice counts once; lists in lists are closed.
    """
    first, *others = path_of(field).split(".")
    order: tuple[dict[str, Any], ...] = ()
    if newest is not None:
        order = {"$sort": dict(NEWEST)}, {"$limit": newest}
    return [
        {"$match": {"$and": [{RETIRED: False}, condition]}},
        *order,
        {"$project": {"v": f"${first}"}},
        *_elements(),
        *(stage for name in others for stage in ({"$project": {"v": f"$v.{name}"}}, *_elements())),
        {"$match": {"v": {"$type": _SCALARS}}},
        {"$group": {"_id": {"doc": "$_id", "v": "$v", "kind": _KIND}}},
        {"$group": {"_id": {"kind": "$_id.kind", "v": "$_id.v"}, "n": {"$sum": 1}}},
        {"$sort": {"n": -1, "_id.kind": 1, "_id.v": 1}},
        {"$limit": at_most},
    ]


def _elements() -> tuple[dict[str, Any], ...]:
    """Return the stages that put each element of a list in its place, lists themselves left out."""
    return {"$unwind": "$v"}, {"$match": {"v": {"$not": {"$type": "array"}}}}
