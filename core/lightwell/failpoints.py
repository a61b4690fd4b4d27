"""Moments at which a process can be told to die, so that tests can show what survives.

`LIGHTWELL_FAILPOINT=name:3` kills the process, without any clean-up, when it passes the failpoint
of that name for the third time; `LIGHTWELL_FAILPOINT_LOG=FILE` has every passage noted.
"""

import os
import signal
from typing import Final

__all__ = ["failpoint"]

_ARMED: Final = os.environ.get("LIGHTWELL_FAILPOINT", "")
_LOG: Final = os.environ.get("LIGHTWELL_FAILPOINT_LOG", "")
_passed: dict[str, int] = {}


def failpoint(name: str) -> None:
    """Pass a named moment; nothing happens unless the environment asked for something."""
    if _ARMED or _LOG:
        _pass(name)


def _pass(name: str) -> None:
    _passed[name] = count = _passed.get(name, 0) + 1
    if _LOG:
        descriptor = os.open(_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(descriptor, f"{name}:{count}\n".encode())
        os.close(descriptor)
    if f"{name}:{count}" == _ARMED:
        # Not an exception: no `finally` runs when a machine loses its power either.
        os.kill(os.getpid(), signal.SIGKILL)
