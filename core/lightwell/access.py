"""What a user may see, as restrictions that the catalog adds to every question it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from lightwell.users import User

__all__ = ["EVERYTHING", "AccessFilter", "EverythingForTheLocalUser", "OwnerOnly", "Restriction"]

Restriction: TypeAlias = Mapping[str, Any]
"""A filter in the JSON form of the query language: what does not match does not exist."""

EVERYTHING: Restriction = {}


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


@dataclass(frozen=True, slots=True)
class EverythingForTheLocalUser:
    """The one user of a private installation sees everything, anybody else what they own."""

    local: User

    def restriction(self, user: User) -> Restriction:
        return EVERYTHING if user == self.local else OwnerOnly().restriction(user)
