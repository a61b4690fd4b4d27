"""The record of a job: everything needed to understand it and to do it again."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightwell.datasets import Dataset
from lightwell.engines import JobSpec, Outcome, Slices, Sweep, identity
from lightwell.engines.environment import environment
from lightwell.errors import DamagedResult
from lightwell.recipes import Recipe, Setting

if TYPE_CHECKING:
    from lightwell.plugins import Plugins
    from lightwell.session.chosen import Chosen

__all__ = ["InputRecord", "JobRecord", "input_record", "job_identity", "software"]


@dataclasses.dataclass(frozen=True)
class InputRecord:
    """What a result was made from: the dataset, the digest of its files, of its description.

    frames : the part of its frames that was taken, if not all: their numbers, the digest of those,
    how many of how many, and the question they answer.
    """

    pid: str
    manifest: str
    description: str
    frames: Mapping[str, Any] | None = None

    def facts(self) -> dict[str, Any]:
        """The record as plain data."""
        return {n: v for n, v in dataclasses.asdict(self).items() if v is not None}

    def identity(self) -> dict[str, Any]:
        """What the numbers of a result depend on: which frames, not how they were asked for."""
        frames = {"frames": self.frames["digest"]} if self.frames else {}
        return {**self.facts(), **frames}


def input_record(dataset: Dataset, chosen: "Chosen | None" = None) -> InputRecord:
    """The digests of a dataset as it is now, and what was chosen of its frames."""
    text = json.dumps(dataset.entry.document(), sort_keys=True)
    description = hashlib.sha256(text.encode()).hexdigest()
    frames = None
    if chosen is not None:
        runs = chosen.runs
        frames = {
            "numbers": runs.text,
            "digest": runs.digest(),
            "count": len(runs),
            "of": runs.of,
            "question": chosen.question,
        }
    return InputRecord(dataset.pid, dataset.manifest.digest(), description, frames)


def software(recipe: Recipe[Any, Any], plugins: "Plugins") -> dict[str, str]:
    """Everything that computes: the engine's environment, and the packages of the steps."""
    packages = [plugins.distribution_of(step.__module__) for step in recipe.steps()]
    return {**environment(), **dict(package for package in packages if package is not None)}


def job_identity(
    recipe: Recipe[Any, Any],
    settings: Mapping[str, Setting],
    inputs: Mapping[str, InputRecord],
    slices: Slices | None,
    programs: Mapping[str, str],
    *,
    bin: int = 1,
    sweep: Sweep | None = None,
) -> str:
    """The digest of everything the numbers of a result depend on; programs : see `software`."""
    values = {name: setting.value for name, setting in settings.items()}
    # Only what was asked for: a job without it is the one it was before there was such a thing.
    further: dict[str, Any] = {"bin": bin} if bin != 1 else {}
    if sweep is not None:
        values[sweep.address] = list(sweep.values)
        further["sweep"] = sweep.address
    return identity(
        recipe,
        values,
        inputs={role: record.identity() for role, record in inputs.items()},
        slices=slices,
        environment=dict(programs),
        **further,
    )


@dataclasses.dataclass(frozen=True)
class JobRecord:
    """One finished job as it is kept in the result's file and in the catalog.

    parameters : address -> {value, origin, detail, unit}, places in points of the detector;
    digest : of the numbers alone; bin : detector pixels along each edge that became one; sweep :
    the parameter that was swept and its values; kept : step -> key of the kept output that the
    job began from or added.
    """

    recipe: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    estimates: Mapping[str, Mapping[str, Any]]
    inputs: Mapping[str, Mapping[str, Any]]
    slices: Slices | None
    tile: int
    axis: str
    digest: str
    environment: Mapping[str, str]
    identity: str
    bin: int = 1
    sweep: Mapping[str, Any] | None = None
    kept: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        spec: JobSpec,
        outcome: Outcome,
        inputs: Mapping[str, InputRecord],
        key: str,
        programs: Mapping[str, str],
        *,
        bin: int = 1,
    ) -> "JobRecord":
        """The record of a job that just ended."""
        slots, sweep = spec.recipe.slots, spec.sweep
        parameters = {
            address: {
                "value": setting.value,
                "origin": setting.origin,
                "detail": setting.detail,
                "unit": slots[address].parameter.unit,
            }
            for address, setting in outcome.settings.items()
        }
        if sweep is not None:
            swept = {"value": list(sweep.values), "origin": "sweep", "detail": ""}
            parameters[sweep.address] = {**parameters[sweep.address], **swept}
        return cls(
            recipe=spec.recipe.to_json(),
            parameters=parameters,
            estimates={n: dataclasses.asdict(e) for n, e in outcome.estimates.items()},
            inputs={role: record.facts() for role, record in inputs.items()},
            slices=spec.slices,
            tile=outcome.output.tile,
            axis=outcome.output.axis,
            digest=outcome.output.digest,
            environment=dict(programs),
            identity=key,
            bin=bin,
            sweep=dataclasses.asdict(sweep) if sweep is not None else None,
            kept=dict(outcome.kept),
        )

    def to_json(self) -> dict[str, Any]:
        """The record as plain data."""
        found: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return found

    @classmethod
    def from_json(cls, content: Mapping[str, Any], *, where: str) -> "JobRecord":
        """Read a record back.

        Errors: DamagedResult where something of it is missing.
        """
        try:
            slices = content.get("slices")
            chosen = tuple(slices) if isinstance(slices, list) else slices
            return cls(**{**content, "slices": chosen})
        except TypeError as error:
            raise DamagedResult(
                f"the record of the job is not complete ({error})",
                where=where,
                remedy="run the recipe again",
            ) from error
