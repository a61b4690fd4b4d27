"""A clock that a test turns, in the place of the system's."""

import importlib
import pkgutil
import sys

import pytest
from policy_in_words import World

import lightwell.access
import lightwell.catalog
import lightwell.session
from lightwell.datasets import moment_text, now


class Clock:
    """The time of the world that is being played."""

    world = World()

    def now(self) -> str:
        return moment_text(self.world.time)


def put_in(made: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Have every module of ours ask a clock, until the test ends."""
    # What is loaded later would keep this test's clock for the next one.
    for package in (lightwell.session, lightwell.catalog, lightwell.access):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
    for name, module in list(sys.modules.items()):
        if name.startswith("lightwell") and getattr(module, "now", None) is now:
            monkeypatch.setattr(module, "now", made.now)
    return made
