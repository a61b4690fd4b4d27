"""Reading ahead: while a piece of a slab is worked on, a thread reads the next one."""

import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from lightwell.engines.worker import bytes_read
from lightwell.products import Product

__all__ = ["Reading"]

Read = Callable[[int, int], Product]


class Reading:
    """The pieces of a slab in their order, at most one of them ahead of the work.

    seconds : spent reading; waited : of them, how long the work had to wait; bytes : that this
    process read meanwhile, 0 where the system does not count.
    """

    def __init__(self, read: Read, pieces: Sequence[tuple[int, int]]) -> None:
        self.seconds = 0.0
        self.waited = 0.0
        self.bytes = 0
        self._read = read
        self._left = list(pieces)
        self._held: list[tuple[int, int, Product]] = []
        self._found: SimpleQueue[tuple[int, int, Product] | Exception] = SimpleQueue()
        self._may_read = threading.Semaphore(1)
        self._stopped = False
        self._thread = threading.Thread(target=self._ahead, args=(list(pieces),), daemon=True)
        self._thread.start()

    def find(self, start: int, stop: int) -> tuple[int, Product] | None:
        """The piece that covers some points, with its first point; None if it is not to come.

        Errors: what reading raised.
        """
        while True:
            for first, last, product in self._held:
                if first <= start and stop <= last:
                    return first, product
            if not any(first <= start and stop <= last for first, last in self._left):
                return None
            self._take()

    def forget(self, before: int) -> None:
        """Let go of the pieces that end at a point or before it."""
        self._held = [piece for piece in self._held if piece[1] > before]

    def close(self) -> None:
        """Stop reading and let go of everything."""
        self._stopped = True
        self._may_read.release()
        self._thread.join()
        self._held.clear()
        self._left.clear()

    def _take(self) -> None:
        began = time.perf_counter()
        found = self._found.get()
        self.waited += time.perf_counter() - began
        if isinstance(found, Exception):
            self._left.clear()
            raise found
        self._left.remove(found[:2])
        self._held.append(found)
        self._may_read.release()

    def _ahead(self, pieces: Sequence[tuple[int, int]]) -> None:
        for start, stop in pieces:
            self._may_read.acquire()
            if self._stopped:
                return
            began, before = time.perf_counter(), bytes_read()
            try:
                found = (start, stop, self._read(start, stop))
            except Exception as error:  # raised again where the piece is wanted
                self._found.put(error)
                return
            self.seconds += time.perf_counter() - began
            self.bytes += bytes_read() - before
            self._found.put(found)
            del found
