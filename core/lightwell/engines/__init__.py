"""Engines: where jobs execute. The local one is built in."""

from lightwell.engines.admission import Admission
from lightwell.engines.protocol import Engine
from lightwell.engines.sources import Source
from lightwell.engines.spec import (
    MIDDLE,
    Event,
    JobSpec,
    Keeping,
    Outcome,
    Output,
    Slices,
    Sweep,
    identity,
)

__all__ = [
    "MIDDLE",
    "Admission",
    "Engine",
    "Event",
    "JobSpec",
    "Keeping",
    "Outcome",
    "Output",
    "Slices",
    "Source",
    "Sweep",
    "identity",
]
