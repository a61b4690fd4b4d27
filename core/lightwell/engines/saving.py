"""Writing behind: while a tile is computed, a thread writes the one before it to the segment."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from lightwell.engines.segments import SegmentWriter
from lightwell.engines.tiles import Section, TileRange
from lightwell.engines.worker import peak_memory, shared_memory
from lightwell.products import Product

__all__ = ["Saving"]

Done = Callable[[Mapping[str, Any]], None]
Failed = Callable[[Exception], None]


class _AbandonedError(Exception):
    """The slab has no end: a tile of it could not be computed."""


class Saving:
    """One segment on its way to the disk; it holds one tile, no more.

    done : told the facts of the slab once the segment has its name; failed : told what went wrong.
    waited : how long the work had to wait for a tile to be written.
    """

    def __init__(
        self, folder: Path, tiles: TileRange, section: Section, done: Done, failed: Failed
    ) -> None:
        self.waited = 0.0
        self._broken = False
        start, stop = section.span(*tiles)
        self._writer = SegmentWriter(folder, tiles, section.axis, stop - start)
        self._parts: SimpleQueue[Product | Mapping[str, Any] | None] = SimpleQueue()
        self._may_add = threading.Semaphore(1)
        self._done, self._failed = done, failed
        self._thread = threading.Thread(target=self._behind, daemon=True)
        self._thread.start()

    def add(self, part: Product) -> None:
        """Hand over the next tile, when the one before it is written."""
        if self._broken:
            return
        began = time.perf_counter()
        self._may_add.acquire()
        self.waited += time.perf_counter() - began
        self._parts.put(part)

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Say that all tiles were handed over; the segment is closed behind the work."""
        self._parts.put(facts)

    def abandon(self) -> None:
        """Leave no segment, since a tile could not be computed."""
        self._parts.put(None)
        self.join()

    def join(self) -> None:
        """Wait until the segment is closed."""
        self._thread.join()

    def _behind(self) -> None:
        try:
            began = time.perf_counter()
            facts, idle = self._write()
            written = time.perf_counter() - began - idle
            path, size = self._writer.path, self._writer.written
            found = {"segment": os.fspath(path), "bytes": size, "write_s": written}
            answer = {**facts, **found, "peak": peak_memory(), "shared": shared_memory()}
            self._done(answer)
        except _AbandonedError:
            return
        except Exception as error:  # the supervisor's to report; the work must not wait for it
            self._broken = True
            self._may_add.release()
            self._failed(error)

    def _write(self) -> tuple[Mapping[str, Any], float]:
        """Write until there is no more; how long that meant waiting for a tile."""
        idle = 0.0
        with self._writer as writer:
            while True:
                began = time.perf_counter()
                part = self._parts.get()
                idle += time.perf_counter() - began
                if part is None:
                    raise _AbandonedError
                if not isinstance(part, Product):
                    return part, idle
                writer.add(part)
                del part
                self._may_add.release()
