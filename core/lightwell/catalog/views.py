"""What one session may ask, change and share of a catalog: filters ANDed into everything."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from lightwell.access import EVERYTHING, Restriction
from lightwell.catalog.fields import stored_path
from lightwell.catalog.json_form import from_json
from lightwell.catalog.query import EVERY, And, Query, check_size, fields_of
from lightwell.errors import NotAllowed, ParameterError

__all__ = ["View"]

_Filters: TypeAlias = tuple[Query | Callable[[], Query], ...]
_PRIVATE: Final = "access"


@dataclass(frozen=True, slots=True)
class View:
    """The part of a catalog that is seen, that of it which may be changed, and shared.

    Filters that depend on the time are asked anew for every question.
    """

    seen: _Filters = ()
    changed: _Filters = ()
    granted: _Filters = ()

    def narrowed(
        self,
        seen: Iterable[Restriction],
        changed: Iterable[Restriction] = (),
        granted: Iterable[Restriction] = (),
    ) -> "View":
        """Return this view with further filters; nothing can be taken from those there are."""
        return View(
            (*self.seen, *_filters(seen)),
            (*self.changed, *_filters(changed)),
            (*self.granted, *_filters(granted)),
        )

    @property
    def is_whole(self) -> bool:
        """Whether nothing is hidden or kept from being changed."""
        return not (self.seen or self.changed or self.granted)

    def question(self, query: Query = EVERY) -> Query:
        """Return what to ask for a query of a user: only what is seen answers it.

        Raises `ParameterError` for one that is too large, or asks who may see what.
        """
        check_size(query)
        if not self.seen:
            return query
        for field in fields_of(query):
            self.check_field(field)
        return And((*_asked(self.seen), query))

    def check_field(self, field: str) -> None:
        """Raise `ParameterError` for a field that tells of rights, where something is hidden."""
        if self.seen and stored_path(field)[0] == _PRIVATE:
            raise ParameterError(
                f"{field} is not a field to search by",
                remedy="Ask for one dataset: lightwell who-can PID",
            )

    def changing(self) -> Query:
        """Return the filter for what may be changed, of what is seen."""
        return And(_asked(self.changed))

    def granting(self) -> Query:
        """Return the filter for what may be shared, of what is seen."""
        return And(_asked(self.granted))

    def refused(self, act: str, pid: str) -> NotAllowed:
        """Return the error for an act on a dataset that is seen and not in one's care."""
        return NotAllowed(
            f"you may see {pid}, and not {act} it",
            remedy="Ask its owner, or the staff of the beamline",
        )


def _filters(restrictions: Iterable[Restriction]) -> _Filters:
    return tuple(_filter(each) for each in restrictions if callable(each) or each != EVERYTHING)


def _filter(restriction: Restriction) -> Query | Callable[[], Query]:
    if callable(restriction):
        return lambda: from_json(restriction(), limited=False)
    return from_json(restriction, limited=False)


def _asked(filters: _Filters) -> tuple[Query, ...]:
    return tuple(each if isinstance(each, Query) else each() for each in filters)
