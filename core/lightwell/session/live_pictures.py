"""Pictures of a job while it iterates, renewed in its folder until those of the result come."""

from pathlib import Path
from typing import TYPE_CHECKING

from lightwell.errors import DiskFull
from lightwell.session.pictures import fault_in_drawing, wanted_previews

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightwell.engines.drawing import Glimpses
    from lightwell.previews import Preview

__all__ = ["LivePictures"]


class LivePictures:
    """Draws what a job would give if it ended now, under the names of the result's pictures.

    Each replaces the one before in one step. One that cannot be drawn is said once and left until
    the end: what is wrong with it would be wrong again.
    """

    def __init__(self, previews: "Sequence[Preview]", folder: Path) -> None:
        self._previews, self._folder = previews, folder
        self._given_up: set[Path] = set()

    def __call__(self, glimpses: "Glimpses") -> tuple[list[Path], list[str]]:
        """Draw; the pictures, and a sentence about each that could not be drawn."""
        drawn, undrawn = [], []
        for path, draw in wanted_previews(self._previews, glimpses, self._folder).items():
            if path in self._given_up:
                continue
            try:
                fault = fault_in_drawing(path, draw)
            except DiskFull as error:
                fault = str(error)
            if fault is None:
                drawn.append(path)
            else:
                self._given_up.add(path)
                undrawn.append(fault)
        return drawn, undrawn
