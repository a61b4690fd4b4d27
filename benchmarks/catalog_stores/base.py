"""The questions a store is asked."""

from collections.abc import Iterable
from typing import Any, Protocol

__all__ = ["Document", "Store"]

Document = dict[str, Any]


class Store(Protocol):
    """A store of catalog documents under measurement; answers are counts or pids, to compare."""

    name: str

    def loaded(self) -> int:
        """Tell how many documents it has taken in so far."""

    def load(self, documents: Iterable[Document]) -> None:
        """Take in documents the quickest way there is."""

    def finish(self) -> None:
        """Make what the quickest way put off."""

    def insert(self, document: Document) -> None:
        """Take in one, durably."""

    def point(self, pid: str) -> str:
        """Find one by its pid."""

    def newest(self) -> list[str]:
        """Find the newest 20 that are not retired."""

    def newest_of(self, beamline: str) -> list[str]:
        """Find the newest 20 of one beamline."""

    def between(self, low: int, high: int) -> list[str]:
        """Find by a nested number, low <= number < high."""

    def words(self, beginning: str) -> list[str]:
        """Find 20 by the beginning of a word."""

    def facet(self, field: str) -> dict[str, int]:
        """Count the values of a search field."""

    def facet_of(self, field: str, beamline: str) -> dict[str, int]:
        """Count the values of a search field among the newest 1,000 of one beamline."""

    def count(self, energy: float) -> int:
        """Count those of more than an energy, up to 1,000."""

    def update(self, pid: str, proposal: str) -> None:
        """Change one field of one, durably."""

    def close(self) -> None:
        """Give everything back."""
