"""What people changed in the catalog, as the journal keeps it, so that it can be done again."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from lightwell.catalog.journal import Event

__all__ = ["Edit", "differences", "edited", "newest_revision"]

Edit: TypeAlias = list[Any]
"""`[keys]` takes away what stands at a path of keys, `[keys, value]` puts a value there."""

_COUNTED: Final = "rev"
"""The number of the revision is counted by the catalog, nobody edits it."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Edit]:
    """Return the edits that make one document of another.

    >>> differences({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4, "d": 3}, "e": None})
    [[['a']], [['b', 'c'], 4], [['e'], None]]
    """
    return [edit for edit in _differences(before, after, ()) if edit[0] != [_COUNTED]]


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], keys: tuple[str, ...]
) -> Iterator[Edit]:
    for key in sorted({*before, *after}):
        path = (*keys, key)
        if key not in after:
            yield [list(path)]
            continue
        old, new = before.get(key), after[key]
        if isinstance(old, Mapping) and isinstance(new, Mapping) and old and new:
            yield from _differences(old, new, path)
        elif key not in before or old != new or type(old) is not type(new):
            yield [list(path), new]


def edited(document: Mapping[str, Any], events: Iterable[Event]) -> dict[str, Any]:
    """Return the document of one dataset, as the files have it, after what the journal says.

    >>> edited({"retired": False}, [Event(1, "2026", "mia", "retired", "lw-x", {"why": "test"})])
    {'retired': True}
    """
    found = dict(document)
    for event in events:
        for edit in _edits(event):
            found = _applied(found, *edit)
    return found


def newest_revision(events: Iterable[Event]) -> int:
    """Return the revision a dataset has after its events, 1 where they say none."""
    return max((int(event.detail.get("rev", 1)) for event in events), default=1)


def _edits(event: Event) -> list[Edit]:
    if event.what == "retired":
        return [[["retired"], True]]
    if event.what == "superseded":
        return [[["superseded_by"], event.detail.get("successor")]]
    return list(event.detail.get("changes", ()))


def _applied(document: Mapping[str, Any], keys: list[str], *value: Any) -> dict[str, Any]:
    first, *rest = keys
    if rest:
        inner = document.get(first)
        # Where the files no longer have the group, an edit inside it makes it again.
        group = inner if isinstance(inner, Mapping) else {}
        return {**document, first: _applied(group, rest, *value)}
    if value:
        return {**document, first: value[0]}
    return {key: kept for key, kept in document.items() if key != first}
