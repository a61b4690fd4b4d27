"""Progress on a terminal, from the events of a job."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lightwell.cli.answers import complain

if TYPE_CHECKING:
    from rich.progress import TaskID

    from lightwell.engines import Event

__all__ = ["Progress"]

_SAID = {"waiting", "shortage"}
"""Events with a sentence for people."""


_LAYING_OUT = -2


class Progress:
    """A bar per section while a person watches; silent otherwise."""

    def __init__(self, *, quiet: bool) -> None:
        self._bar: Any = None
        self._tasks: dict[int, TaskID] = {}
        self._quiet = quiet or not sys.stderr.isatty()
        self._has_shown = False

    def __enter__(self) -> Self:
        if not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, event: "Event") -> None:
        """Move a bar on; what makes a job wait or shrink is said in any case."""
        name = event["event"]
        if name in _SAID:
            complain(event["text"])
        if self._bar is None:
            return
        section = event.get("section", -1)
        if name == "section":
            label = "computing" if section == 0 else f"computing, part {section + 1}"
            self._tasks[section] = self._bar.add_task(label, total=event["tiles"])
        elif name == "scratch" and event["parts"]:
            self._tasks[_LAYING_OUT] = self._bar.add_task("reading", total=event["parts"])
        elif name == "scratch-part" and _LAYING_OUT in self._tasks:
            self._bar.advance(self._tasks[_LAYING_OUT])
        elif name == "found" and section in self._tasks:
            self._bar.advance(self._tasks[section], event["tiles"])
        elif name == "tile-done" and section in self._tasks:
            self._bar.advance(self._tasks[section])
        else:
            self._say(name, event)

    def _say(self, name: str, event: "Event") -> None:
        """What is a line of its own above the bars."""
        if name == "estimated":
            self._bar.console.print(f"{event['parameter']} = {event['value']:.3f}")
        elif name == "value":
            self._bar.console.print(f"{event['parameter']} = {event['value']}")
        elif name == "pictures":
            self._pictures(event)

    def _pictures(self, event: "Event") -> None:
        """Say where pictures are, once, and every time why one is none."""
        lines = [f"no picture while it runs: {problem}" for problem in event.get("undrawn", ())]
        if event["names"] and not self._has_shown:
            self._has_shown = True
            lines.append(f"pictures while it runs: {event['folder']}")
        for line in lines:
            # As it is: a folder's name may have brackets in it, and is to be copied in one piece.
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
