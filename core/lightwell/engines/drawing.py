"""Drawing while a job runs: glimpses become pictures in a thread that nothing waits for."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from lightwell.engines.glimpses import GLIMPSE
from lightwell.products import Product

__all__ = ["Draw", "Drawing", "Glimpses"]

Glimpses = Mapping[tuple[type[Product], str], Product]
"""Products cut to one point along an axis, by what and along which."""

Draw = Callable[[Glimpses], tuple[Sequence[Path], Sequence[str]]]
"""Makes pictures and raises nothing: the files, and a sentence about each that could not be."""

Tell = Callable[[Mapping[str, Any]], None]


class Drawing:
    """Stands between workers and whoever is told of their events, and draws what they show.

    Everything is told by the thread of the job. While one glimpse is drawn the newest waits, older
    ones are let go of. Leaving the `with` block waits for the one being drawn, so that the folder
    is the job's own again.

    draw : what draws; without it glimpses are let go of.
    """

    def __init__(self, draw: Draw | None, tell: Tell) -> None:
        self._draw, self._tell = draw, tell
        self._artist = ThreadPoolExecutor(1, "lightwell-pictures")
        self._waiting: Mapping[str, Any] | None = None
        self._drawn: tuple[int, Future[Any]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting = None
        self._artist.shutdown()
        self._go_on()

    def tell(self, event: Mapping[str, Any]) -> None:
        """Pass an event on; a glimpse is drawn instead."""
        if event["event"] != GLIMPSE:
            self._tell(event)
        elif "fault" in event:
            self._said(event["iteration"], [], [event["fault"]])
        else:
            self._waiting = event
        self._go_on()

    def _go_on(self) -> None:
        if self._drawn is not None and self._drawn[1].done():
            (iteration, found), self._drawn = self._drawn, None
            self._said(iteration, *found.result())
        if self._waiting is not None and self._drawn is None and self._draw is not None:
            event, self._waiting = self._waiting, None
            coming = self._artist.submit(self._draw, event["products"])
            self._drawn = event["iteration"], coming

    def _said(self, iteration: int, paths: Sequence[Path], undrawn: Sequence[str]) -> None:
        if not paths and not undrawn:
            return
        facts: dict[str, Any] = {"iteration": iteration, "names": [path.name for path in paths]}
        if paths:
            facts["folder"] = str(paths[0].parent)
        if undrawn:
            facts["undrawn"] = list(undrawn)
        self._tell({"event": "pictures", **facts})
