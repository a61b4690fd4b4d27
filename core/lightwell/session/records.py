"""The record of a job: everything needed to understand it and to do it again."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightwell.datasets import Dataset
from lightwell.engines import JobSpec, Outcome, identity
from lightwell.engines.environment import environment
from lightwell.errors import DamagedResult
from lightwell.recipes import Recipe, Setting

if TYPE_CHECKING:
    from lightwell.plugins import Plugins

__all__ = ["InputRecord", "JobRecord", "input_record", "job_identity", "software"]

Slices = tuple[int | None, int | None, int | None]


@dataclasses.dataclass(frozen=True)
class InputRecord:
    """What a result was made from: the dataset, the digest of its files, of its description."""

    pid: str
    manifest: str
    description: str


def input_record(dataset: Dataset) -> InputRecord:
    """The digests of a dataset as it is now."""
    text = json.dumps(dataset.entry.document(), sort_keys=True)
    description = hashlib.sha256(text.encode()).hexdigest()
    return InputRecord(dataset.pid, dataset.manifest.digest(), description)


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
) -> str:
    """The digest of everything the numbers of a result depend on; programs : see `software`."""
    return identity(
        recipe,
        {name: setting.value for name, setting in settings.items()},
        inputs={role: dataclasses.asdict(record) for role, record in inputs.items()},
        slices=slices,
        environment=dict(programs),
    )


@dataclasses.dataclass(frozen=True)
class JobRecord:
    """One finished job as it is kept in the result's file and in the catalog.

    parameters : address -> {value, origin, detail, unit}; digest : of the numbers alone.
    """

    recipe: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    estimates: Mapping[str, Mapping[str, Any]]
    inputs: Mapping[str, Mapping[str, str]]
    slices: Slices | None
    tile: int
    axis: str
    digest: str
    environment: Mapping[str, str]
    identity: str

    @classmethod
    def of(
        cls,
        spec: JobSpec,
        outcome: Outcome,
        inputs: Mapping[str, InputRecord],
        key: str,
        programs: Mapping[str, str],
    ) -> "JobRecord":
        """The record of a job that just ended."""
        slots = spec.recipe.slots
        parameters = {
            address: {
                "value": setting.value,
                "origin": setting.origin,
                "detail": setting.detail,
                "unit": slots[address].parameter.unit,
            }
            for address, setting in outcome.settings.items()
        }
        return cls(
            recipe=spec.recipe.to_json(),
            parameters=parameters,
            estimates={n: dataclasses.asdict(e) for n, e in outcome.estimates.items()},
            inputs={role: dataclasses.asdict(record) for role, record in inputs.items()},
            slices=spec.slices,
            tile=outcome.output.tile,
            axis=outcome.output.axis,
            digest=outcome.output.digest,
            environment=dict(programs),
            identity=key,
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
            return cls(**{**content, "slices": tuple(slices) if slices else None})
        except TypeError as error:
            raise DamagedResult(
                f"the record of the job is not complete ({error})",
                where=where,
                remedy="run the recipe again",
            ) from error
