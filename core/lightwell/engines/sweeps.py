"""Sweeps: one parameter takes several values, and what does not depend on it is computed once.

Each value is walked like a job of its own, in a folder of its own, so its numbers are those of a
job with that value; the product before the swept step is stored once and read by all of them.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightwell.engines.spec import Event, JobSpec, Outcome, Output, Shared, Sweep
from lightwell.engines.walk import Walk
from lightwell.engines.workers import Workers
from lightwell.errors import ParameterError
from lightwell.recipes import Setting
from lightwell.steps import Estimate

__all__ = ["SHARED", "VALUES", "run_sweep", "sweep_digest"]

SHARED = "shared"
VALUES = "value_*"
"""Below a job's folder: what all values have in common, and the folder of each."""

Tell = Callable[[Event], None]


def run_sweep(spec: JobSpec, sweep: Sweep, workers: Workers, tell: Tell) -> Outcome:
    """Walk the recipe once for every value.

    Errors: ParameterError where a value changes the size of the result; whatever a walk raises.
    """
    position = spec.recipe.slots[sweep.address].step
    shared = Shared(spec.folder / SHARED, position)
    shared.folder.mkdir(exist_ok=True)
    walks: list[Walk] = []
    outputs: list[Output] = []
    for index, value in enumerate(sweep.values):
        tell({"event": "value", "parameter": sweep.address, "value": value, "index": index})
        walk = Walk(
            _with_value(spec, sweep, index, shared),
            workers,
            tell,
            known=_in_common(walks, position),
            first_section=sum(len(w.report()["sections"]) for w in walks),
        )
        outputs.append(walk.run())
        walks.append(walk)
    _check_alike(sweep, outputs)
    glimpses = walks[0].glimpses()
    for walk in walks:
        walk.remove_scratch()
    return Outcome(
        _together(sweep, outputs),
        walks[0].settings,
        _estimates(sweep, walks),
        _metrics(sweep, walks),
        _report(walks),
        glimpses,
        {name: key for walk in walks for name, key in walk.kept.items()},
    )


def _with_value(spec: JobSpec, sweep: Sweep, index: int, shared: Shared) -> JobSpec:
    folder = spec.folder / VALUES.replace("*", f"{index:03d}")
    folder.mkdir(exist_ok=True)
    settings = {**spec.settings, sweep.address: Setting(sweep.values[index], "sweep")}
    # A picture of the result would show one value of many; the contact sheet shows them all.
    glimpses = [wanted for wanted in spec.glimpses if wanted[0] is not spec.recipe.gives]
    return dataclasses.replace(
        spec, settings=settings, folder=folder, glimpses=glimpses, sweep=None, shared=shared
    )


def _in_common(walks: Sequence[Walk], position: int) -> Mapping[str, Estimate[Any]]:
    """Estimates that were made before the swept step, and so hold for every value."""
    if not walks:
        return {}
    found = walks[0].estimated_at
    return {a: walks[0].estimates[a] for a, step in found.items() if step < position}


def _check_alike(sweep: Sweep, outputs: Sequence[Output]) -> None:
    first = outputs[0]
    for value, output in zip(sweep.values, outputs, strict=True):
        if (output.length, list(output.points)) != (first.length, list(first.points)):
            raise ParameterError(
                f"the result has another size for {sweep.address} = {value}, so the sweep cannot "
                "be one result",
                remedy="run the recipe once for each value",
            )


def _together(sweep: Sweep, outputs: Sequence[Output]) -> Output:
    digest = sweep_digest(sweep, [output.digest for output in outputs])
    folders = tuple(output.folder for output in outputs)
    return dataclasses.replace(outputs[0], digest=digest, sweep=sweep, folders=folders)


def sweep_digest(sweep: Sweep, digests: Sequence[str]) -> str:
    """The sha-256 of a swept result: that of every value, in order."""
    digest = hashlib.sha256(sweep.address.encode())
    for value, own in zip(sweep.values, digests, strict=True):
        digest.update(f"{value!r}:{own}".encode())
    return digest.hexdigest()


def _report(walks: Sequence[Walk]) -> dict[str, Any]:
    """What all walks read, computed and laid out anew, one after the other."""
    reports = [walk.report() for walk in walks]
    return {key: [one for report in reports for one in report[key]] for key in reports[0]}


def _at(sweep: Sweep, name: str, index: int) -> str:
    return f"{name} at {sweep.address}={sweep.values[index]}"


def _estimates(sweep: Sweep, walks: Sequence[Walk]) -> dict[str, Estimate[Any]]:
    """Every estimate, once where all values have the same."""
    found: dict[str, Estimate[Any]] = {}
    for name, first in walks[0].estimates.items():
        own = [walk.estimates[name] for walk in walks]
        if all(estimate == first for estimate in own):
            found[name] = first
        else:
            found |= {_at(sweep, name, i): estimate for i, estimate in enumerate(own)}
    return found


def _metrics(sweep: Sweep, walks: Sequence[Walk]) -> dict[str, Sequence[float]]:
    return {
        _at(sweep, name, i): series
        for i, walk in enumerate(walks)
        for name, series in walk.metrics.items()
    }
