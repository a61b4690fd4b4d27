"""Engines: where jobs execute. The local one is built in."""

from lightwell.engines.protocol import Engine
from lightwell.engines.sources import Source
from lightwell.engines.spec import Event, JobSpec, Outcome, Output, identity

__all__ = ["Engine", "Event", "JobSpec", "Outcome", "Output", "Source", "identity"]
