"""Programs killed at named moments, to show that nothing half survives them."""

import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["killed_after", "killed_at", "passages"]

_PATIENCE_SECONDS = 120.0


def passages(command: Sequence[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """Run a program undisturbed and return every failpoint it passed, as `name:passage`.

    Raises `CalledProcessError` if the program fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "passages.txt")
        extra = {**(environment or {}), "LIGHTWELL_FAILPOINT_LOG": str(log)}
        subprocess.run(command, env=_environment(extra), check=True, capture_output=True)
        return log.read_text(encoding="utf-8").split() if log.exists() else []


def killed_at(
    passage: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> bool:
    """Run a program that is killed at a passage, e.g. `catalog-written:1`; False if it got away."""
    extra = {**(environment or {}), "LIGHTWELL_FAILPOINT": passage}
    done = subprocess.run(command, env=_environment(extra), capture_output=True, check=False)
    return done.returncode == -signal.SIGKILL


def killed_after(
    passage: str,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    chance: random.Random,
    within: float = 0.02,
) -> bool:
    """Kill a program at a random moment, in seconds, after it passed a failpoint.

    It may die between two failpoints, inside SQLite or HDF5; False if it got away.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "passages.txt")
        extra = {**(environment or {}), "LIGHTWELL_FAILPOINT_LOG": str(log)}
        process = subprocess.Popen(
            command,
            env=_environment(extra),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if log.exists() and passage in log.read_text(encoding="utf-8").split():
                break
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, within))
        process.kill()
        return process.wait() == -signal.SIGKILL


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith("LIGHTWELL_FAILPOINT")}
    return {**own, **extra}
