"""What a user may see, change and share, in the query language of the catalog."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from lightwell.access.principals import tokens_of
from lightwell.access.rules import RULES
from lightwell.users import User

__all__ = [
    "EVERYTHING",
    "AccessFilter",
    "OwnerOnly",
    "Restriction",
    "changeable",
    "grantable",
    "readable",
]

Filter: TypeAlias = Mapping[str, Any]

Restriction: TypeAlias = Filter | Callable[[], Filter]
"""A filter in the JSON form of the query language: what does not match does not exist.

One that depends on the time is a function, which is called anew for every question.
"""

EVERYTHING: Final[Filter] = {}

_AT_ONCE: Final = 500
"""Members of one list: no store takes them without bound."""


class AccessFilter(Protocol):
    """Says what a user may see; several are ANDed, so that each one can only take away."""

    def restriction(self, user: User) -> Restriction:
        """Return the filter for one user; `EVERYTHING` takes nothing away."""
        ...


@dataclass(frozen=True, slots=True)
class OwnerOnly:
    """A user sees the datasets they own.

    >>> OwnerOnly().restriction(User("mia"))
    {'owner': {'$eq': 'mia'}}
    """

    def restriction(self, user: User) -> Restriction:
        return {"owner": {"$eq": user.name}}


def readable(user: User, *, at: str, embargo_from: str | None = None) -> Filter:
    """Return the filter for what a user sees at a moment.

    embargo_from : what was catalogued then or before is public, unless a date says otherwise.
    """
    tokens = tokens_of(user)

    def fulfilled(rule: str) -> list[Filter]:
        found = [_one_of(f"{rule}.readers", part) for part in _parts(tokens)]
        found.append({f"{rule}.public_from": {"$lte": at}})
        if embargo_from is not None:
            found.append({f"{rule}.since": {"$lte": embargo_from}})
        for part in _parts(tokens):
            ends = [{f"{rule}.until.{_as_key(token)}": {"$gt": at}} for token in part]
            found.append({"$or": ends})
        return found

    return _every_rule(fulfilled)


def grantable(user: User) -> Filter:
    """Return the filter for what a user may share: all data it goes back to is in their care."""
    tokens = tokens_of(user)
    return _every_rule(lambda rule: [_one_of(f"{rule}.stewards", part) for part in _parts(tokens)])


def changeable(user: User) -> Filter:
    """Return the filter for what a user may change, of what they see: what is theirs.

    >>> changeable(User("mia"))
    {'$or': [{'owner': {'$eq': 'mia'}}]}
    """
    found: list[Filter] = [{"owner": {"$eq": user.name}}]
    found += [_one_of("proposal", part) for part in _parts(sorted(user.proposals))]
    found += [_one_of("canonical.beamline", part) for part in _parts(sorted(user.staff_of))]
    return {"$or": found}


def _every_rule(fulfilled: Callable[[str], list[Filter]]) -> Filter:
    """Return the filter for documents whose every rule is fulfilled; nearly all have only one."""
    first, second, *more = (f"access.{name}" for name in RULES)
    others: list[Filter] = [{"$or": fulfilled(second)}]
    others += [{"$or": [_absent(rule), *fulfilled(rule)]} for rule in more]
    return {"$and": [{"$or": fulfilled(first)}, {"$or": [_absent(second), {"$and": others}]}]}


def _absent(field: str) -> Filter:
    return {field: {"$exists": False}}


def _one_of(field: str, values: Sequence[str]) -> Filter:
    return {field: {"$in": list(values)}}


def _parts(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]


def _as_key(token: str) -> str:
    """Return a word as one key of a field's name."""
    return token.replace(".", "\\.")
