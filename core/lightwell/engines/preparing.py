"""What a worker does once for all its tiles, programs and tables; how long that took is told apart.

A first tile waits for both, so the time it took says little of the next.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["listen", "preparing", "seconds_preparing"]

_EVENTS = frozenset(
    f"/jax/core/compile/{name}_duration"
    for name in ("jaxpr_trace", "jaxpr_to_mlir_module", "backend_compile")
)


class _Clock:
    """The seconds so far; those inside `preparing` are not counted again for a program in it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.inside = False

    def hear(self, event: str, duration_secs: float, **_: Any) -> None:
        if event in _EVENTS and not self.inside:
            self.seconds += duration_secs


_clock = _Clock()


def listen() -> None:
    """Count from now on what JAX takes to trace, compile and load programs."""
    import jax

    jax.monitoring.register_event_duration_secs_listener(_clock.hear)


@contextmanager
def preparing() -> Iterator[None]:
    """Count what happens inside as done once."""
    began, outer = time.perf_counter(), _clock.inside
    _clock.inside = True
    try:
        yield
    finally:
        _clock.inside = outer
        if not outer:
            _clock.seconds += time.perf_counter() - began


def seconds_preparing() -> float:
    """How long this process has spent so far on what it does once."""
    return _clock.seconds
