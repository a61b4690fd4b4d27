"""What one user may see, change and share, and how it is shared and taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lightwell.access import PUBLIC, Grant, Restriction, named
from lightwell.catalog import Catalog, from_json, matches
from lightwell.datasets import Dataset, moment_text, now
from lightwell.errors import NotFound, ParameterError
from lightwell.users import User

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = ["Rights", "first_moment", "last_moment", "share"]


@dataclass(frozen=True)
class Rights:
    """The rights of a user of an installation; a keeper has all of them."""

    installation: "Installation"
    user: User
    keeper: bool

    def filters(self) -> Sequence[Restriction]:
        """Return what restricts the sight of this user: nothing for a keeper.

        Errors: PluginError where a filter or a plugin that access depends on is missing.
        """
        if self.keeper:
            return ()
        self.installation.check_needed_plugins()
        plugins = self.installation.plugins.access_filters
        return (
            self.installation.policy.restriction(self.user),
            *(each.restriction(self.user) for each in plugins),
        )

    def view(self) -> Catalog:
        """Return the catalog as this user may see, change and share it."""
        policy, catalog = self.installation.policy, self.installation.catalog
        return catalog.as_seen_through(
            self.filters(),
            changing=() if self.keeper else (policy.changing(self.user),),
            granting=() if self.keeper else (policy.granting(self.user),),
        )

    def of(self, name: str) -> "Rights":
        """Return the rights of the user of a name."""
        if name == self.user.name:
            return self
        user = self.installation.user(name)
        return Rights(self.installation, user, self.installation.policy.keeps(user))

    def sees(self, pid: str) -> bool:
        """Whether this user sees a dataset."""
        try:
            self.view().get(pid)
        except NotFound:
            return False
        return True

    def may_share(self, pid: str) -> bool:
        """Whether this user may share a dataset."""
        if self.keeper:
            return True
        granting = self.installation.policy.granting(self.user)
        try:
            self.installation.catalog.as_seen_through((*self.filters(), granting)).get(pid)
        except NotFound:
            return False
        return True

    def is_strange(self, pid: str) -> bool:
        """Whether a dataset is there, and not for this user to change."""
        try:
            known = self.installation.catalog.get(pid)
        except NotFound:
            return False
        return not (self.keeper or (self.sees(pid) and self._may_change(known)))

    def _may_change(self, dataset: Dataset) -> bool:
        changing = self.installation.policy.changing(self.user)
        filled = changing() if callable(changing) else changing
        question = from_json(filled, limited=False)
        return matches(question, dataset.to_document(), limited=False)


def share(
    catalog: Catalog,
    pid: str,
    to: str,
    *,
    by: User,
    until: str | None = None,
    public_from: str | None = None,
    why: str = "",
) -> Grant:
    """Grant a dataset to somebody, until a day is over, or to the public from a day on.

    Errors: NotFound; NotAllowed for who may not share it; ParameterError for a date or name that
    cannot be meant.
    """
    token = named(to)
    if token == PUBLIC:
        if until is not None:
            raise ParameterError(
                "what is public stays so", remedy="Leave out the end; revoke it when it is time"
            )
        start = now() if public_from is None else first_moment(public_from)
        return catalog.grant(pid, token, by=by, public_from=start, why=why)
    if public_from is not None:
        raise ParameterError(
            f"a grant to {token} begins at once", remedy="A first day is for the public alone"
        )
    end = None if until is None else last_moment(until)
    if end is not None and end <= now():
        raise ParameterError(f"{until} is over", remedy="Give a day to come, or revoke the grant")
    return catalog.grant(pid, token, by=by, until=end, why=why)


def first_moment(text: str) -> str:
    """Return the moment a day begins (UTC), or the very moment that is given.

    >>> first_moment("2027-01-01"), first_moment("2027-01-01T12:00:00+01:00")
    ('2027-01-01T00:00:00.000000Z', '2027-01-01T11:00:00.000000Z')

    Errors: ParameterError for anything else.
    """
    return moment_text(_moment(text)[0])


def last_moment(text: str) -> str:
    """Return the moment a day is over (UTC), or the very moment that is given.

    >>> last_moment("2026-12-31")
    '2027-01-01T00:00:00.000000Z'
    """
    return moment_text(_moment(text)[1])


def _moment(text: str) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a day (UTC), or twice the moment that is given."""
    is_day = len(text.strip()) == len("2026-12-31")
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment, moment + timedelta(days=1) if is_day else moment
    except (ValueError, OverflowError):
        raise ParameterError(
            f"{text!r} is no date", remedy="Write e.g. 2026-12-31, or 2026-12-31T18:00+01:00"
        ) from None
