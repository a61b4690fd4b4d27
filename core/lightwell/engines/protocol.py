"""What every engine promises."""

from typing import Protocol

from lightwell.engines.spec import JobSpec, Outcome

__all__ = ["Engine"]


class Engine(Protocol):
    """Executes a job in its folder, resumably, and never with other bits for other means."""

    name: str

    def run(self, spec: JobSpec) -> Outcome:
        """Execute a job, going on from whatever an earlier try left in its folder."""
        ...

    def stop(self) -> None:
        """Make the running job give up; it raises Interrupted and can be resumed."""
        ...
