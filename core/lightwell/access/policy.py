"""The policy of an installation: who keeps it, and when data becomes public by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lightwell.access.filters import (
    EVERYTHING,
    Filter,
    Restriction,
    changeable,
    grantable,
    readable,
)
from lightwell.datasets import moment_text, now
from lightwell.users import User

__all__ = ["Policy"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Keepers see and may do everything; others what the rules of each dataset say.

    embargo : after how long what was catalogued is public, unless a date says otherwise; never
    where it is None.
    """

    keepers: frozenset[str] = frozenset()
    embargo: timedelta | None = None

    def keeps(self, user: User) -> bool:
        """Whether a user is a keeper."""
        return user.name in self.keepers

    def restriction(self, user: User) -> Restriction:
        """Return the filter for what a user sees, asked anew at each moment."""
        if self.keeps(user):
            return EVERYTHING

        def present() -> Filter:
            return readable(user, at=now(), embargo_from=self.embargo_from())

        return present

    def changing(self, user: User) -> Restriction:
        """Return the filter for what a user may change, of what they see."""
        return EVERYTHING if self.keeps(user) else changeable(user)

    def granting(self, user: User) -> Restriction:
        """Return the filter for what a user may share, of what they see."""
        return EVERYTHING if self.keeps(user) else grantable(user)

    def embargo_ends(self, since: str | None) -> str | None:
        """Return when what was catalogued at a moment is public by itself, None for never."""
        if self.embargo is None or since is None:
            return None
        return moment_text(datetime.fromisoformat(since) + self.embargo)

    def embargo_from(self) -> str | None:
        """Return the moment until which what was catalogued is public now, if there is one."""
        if self.embargo is None:
            return None
        return moment_text(datetime.fromisoformat(now()) - self.embargo)
