"""Grants as the journal tells them, and access made anew where something it follows from changed.

Used by every catalog inside the transaction of the change itself.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lightwell.access import NEVER, PUBLIC, Grant, access_of, grants_in
from lightwell.catalog.journal import Event
from lightwell.errors import NotFound, ParameterError

__all__ = [
    "GRANTED",
    "REVOKED",
    "after_grant",
    "after_revoke",
    "check_revocable",
    "check_sources",
    "grants_after",
    "renewed",
    "with_access",
    "without_access",
]

GRANTED: Final = "granted"
REVOKED: Final = "revoked"

Document = Mapping[str, Any]

_MOST_GRANTS: Final = 200


def without_access(document: Document) -> dict[str, Any]:
    """Return a catalog document without what it says of access, which is derived."""
    return {key: value for key, value in document.items() if key != "access"}


def with_access(
    document: Document, grants: Mapping[str, Grant], read: Callable[[str], Document | None]
) -> dict[str, Any]:
    """Return a catalog document with its rules; `read` gives the stored ones of its inputs."""
    inputs = [read(pid) for pid in document.get("derived_from", ())]
    return {**document, "access": access_of(document, grants, inputs)}


def renewed(
    pid: str,
    read: Callable[[str], Document | None],
    results: Callable[[str], Iterable[str]],
    write: Callable[[str, dict[str, Any]], None],
) -> None:
    """Make the access of all that was derived from a dataset anew, inputs before results.

    read : the stored document of a pid; results : pids derived from one; write : stores the part
    `access` of one, without a new revision.
    """
    changed = {pid}
    for each in _descendants(pid, results):
        document = read(each)
        if document is None or changed.isdisjoint(document.get("derived_from", ())):
            continue
        part = with_access(document, grants_in(document), read)["access"]
        if part != document.get("access"):
            write(each, part)
            changed.add(each)


def check_sources(document: Document, read: Callable[[str], Document | None]) -> None:
    """Raise `ParameterError` if a dataset would go back to itself."""
    pid = document["pid"]
    waiting, seen = list(document.get("derived_from", ())), set[str]()
    while waiting:
        source = waiting.pop()
        if source == pid:
            raise ParameterError(f"{pid} cannot be made from itself")
        if source not in seen:
            seen.add(source)
            waiting += (read(source) or {}).get("derived_from", ())


def _descendants(pid: str, results: Callable[[str], Iterable[str]]) -> list[str]:
    """Return what was derived from a dataset over all generations, inputs before results."""
    done: list[str] = []
    entered = {pid}
    path = [(pid, iter(tuple(results(pid))))]
    while path:
        here, rest = path[-1]
        following = next(rest, None)
        if following is None:
            path.pop()
            done.append(here)
        elif following not in entered:
            entered.add(following)
            path.append((following, iter(tuple(results(following)))))
    return list(reversed(done[:-1]))


def grants_after(events: Iterable[Event]) -> dict[str, Grant]:
    """Return the grants of one dataset that its events leave, in the order they happened.

    >>> mia = Event(1, "2026-11-24", "mia", "granted", "lw-x", {"to": "user:bo"})
    >>> grants_after([mia])
    {'user:bo': Grant(by='mia', at='2026-11-24', until=None, public_from=None)}
    >>> grants_after([mia, Event(2, "2026-11-25", "mia", "revoked", "lw-x", {"to": "user:bo"})])
    {}
    """
    grants: dict[str, Grant] = {}
    for event in sorted(events, key=lambda event: event.number):
        to = str(event.detail.get("to"))
        if event.what == GRANTED:
            until, public_from = event.detail.get("until"), event.detail.get("public_from")
            grants = after_grant(grants, to, Grant(event.who, event.at, until, public_from))
        elif event.what == REVOKED:
            grants = after_revoke(grants, to, by=event.who, at=event.at)
    return grants


def after_grant(grants: Mapping[str, Grant], to: str, grant: Grant) -> dict[str, Grant]:
    """Return the grants with one more; it takes the place of an earlier one to the same.

    Raises `ParameterError` beyond 200 of them.
    """
    found = {**grants, to: grant}
    if len(found) > _MOST_GRANTS:
        raise ParameterError(
            f"a dataset is granted to at most {_MOST_GRANTS} persons and circles",
            remedy="Grant it to a group",
        )
    return found


def after_revoke(grants: Mapping[str, Grant], to: str, *, by: str, at: str) -> dict[str, Grant]:
    """Return the grants without one; what is not public any more is not by an embargo's end."""
    if to == PUBLIC:
        return {**grants, to: Grant(by, at, public_from=NEVER)}
    return {each: grant for each, grant in grants.items() if each != to}


def check_revocable(grants: Mapping[str, Grant], to: str, pid: str) -> None:
    """Raise `NotFound` if there is no such grant."""
    if to != PUBLIC and to not in grants:
        raise NotFound(
            f"{pid} was not granted to {to}",
            remedy=f"See who has access, and why, by `lightwell who-can {pid}`",
        )
