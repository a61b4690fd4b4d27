"""Replay: a result computed again from its record, compared, and put back where it is gone."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.datasets import Dataset
from lightwell.engines import Event, Outcome
from lightwell.engines.environment import environment
from lightwell.engines.local import LocalEngine
from lightwell.engines.verification import stored_digest
from lightwell.errors import (
    InputError,
    NotFound,
    ParameterError,
    UnknownName,
)
from lightwell.frame_index import FrameRuns
from lightwell.manifests import verify
from lightwell.session.differences import file_differences
from lightwell.session.records import JobRecord, input_record, software

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightwell.session.jobs import JobPlan
    from lightwell.session.session import Session

__all__ = ["Replayed", "find_result", "replay"]

ATTEMPT = "replay"
"""The folder a result is computed in again, below its own."""


@dataclasses.dataclass(frozen=True)
class Replayed:
    """The outcome of a replay.

    verdict : "equal" bit for bit, "close" where another class of machine computed it first, or
    "different"; rebuilt : the stored arrays were gone or damaged and have been put back;
    differences : what is not what it was, a sentence each.
    """

    pid: str
    verdict: str
    rebuilt: bool
    differences: tuple[str, ...]
    digest: str
    recorded: str


def replay(
    session: "Session",
    result: str,
    *,
    memory: int | str | None = None,
    workers: int | None = None,
    on_event: "Callable[[Event], None] | None" = None,
    engine: LocalEngine | None = None,
) -> Replayed:
    """Compute a result again and compare it with its record.

    engine : what computes; stop it, and the same call later goes on.
    Errors: InputError where inputs or parameters are not what they were, naming each; NotFound.
    """
    dataset = find_result(session, result)
    record = JobRecord.from_json(dataset.job, where=dataset.pid)
    _check_unchanged(session, dataset, record)
    plan = _plan(session, dataset, record, memory=memory, workers=workers, on_event=on_event)
    folder = Path(dataset.path).parent
    attempt = folder / ATTEMPT
    outcome = (engine or LocalEngine()).run(dataclasses.replace(plan.spec, folder=attempt))
    changed = _compare(record, outcome, software(plan.recipe, session.installation.plugins))
    rebuilt = not changed and not _is_stored(dataset, record, outcome, folder)
    if rebuilt:
        _put_back(session, plan, dataset, outcome, record, folder)
    shutil.rmtree(attempt, ignore_errors=True)
    verdict = "different" if changed else "equal"
    return Replayed(
        dataset.pid, verdict, rebuilt, tuple(changed), outcome.output.digest, record.digest
    )


def _plan(session: "Session", dataset: Dataset, record: JobRecord, **options: Any) -> "JobPlan":
    """The job as it was recorded.

    Errors: UnknownName naming the package that is gone; InputError where it has another recipe.
    """
    name = record.recipe["name"]
    try:
        session.recipe(name)
    except UnknownName as error:
        packages = [f"{p} {v}" for p, v in record.environment.items() if p not in environment()]
        made_by = f"{dataset.pid} was made by {', '.join(packages)}, which" if packages else "It"
        raise UnknownName(
            error.what, where=dataset.path, remedy=f"{made_by} has to be installed to replay it"
        ) from None
    main = record.inputs[_main_role(record)]
    plan = session.plan(
        name,
        main["pid"],
        _given(record),
        frames=_frames(main),
        slices=record.slices if record.slices is not None else "all",
        bin=record.bin,
        sweep=_swept(record),
        # What was kept must not confirm what came of it.
        cached=False,
        using={role: facts["pid"] for role, facts in list(record.inputs.items())[1:]},
        **options,
    )
    if plan.recipe.to_json() != record.recipe:
        raise InputError(
            f"the recipe {plan.recipe.name} is not the one that made {dataset.pid}",
            remedy="install the version of the plugin that is named in the result",
        )
    return plan


def find_result(session: "Session", result: str) -> Dataset:
    """The derived dataset a pid or a path stands for."""
    path = Path(result)
    pid = path.stem if path.suffix == ".nxs" or path.exists() else result
    try:
        dataset = session.get(pid)
    except NotFound:
        raise NotFound(
            f"the catalog knows no result {pid}",
            where=result,
            remedy="give the pid or the path of a result; `lightwell find` lists them",
        ) from None
    if dataset.kind != "derived":
        raise ParameterError(
            f"{pid} is a raw dataset; only results can be replayed",
            remedy="give the pid that `lightwell run` printed",
        )
    return dataset


def _main_role(record: JobRecord) -> str:
    return next(iter(record.inputs))


def _frames(facts: Mapping[str, Any]) -> FrameRuns | None:
    """The part of an input's frames that was taken; None for all of them."""
    taken = facts.get("frames")
    return FrameRuns.parse(taken["numbers"], taken["of"]) if taken else None


def _given(record: JobRecord) -> dict[str, Any]:
    """Every value as it was recorded; what was estimated is estimated again."""
    return {
        name: facts["value"]
        for name, facts in record.parameters.items()
        if facts["origin"] not in {"estimate", "sweep"}
    }


def _swept(record: JobRecord) -> dict[str, Any] | None:
    return {record.sweep["address"]: record.sweep["values"]} if record.sweep else None


def _check_unchanged(session: "Session", dataset: Dataset, record: JobRecord) -> None:
    """Refuse to compare with changed inputs or a changed record, and say what changed.

    Errors: InputError naming every file and parameter.
    """
    differences = file_differences(Path(dataset.path), record)
    for role, facts in record.inputs.items():
        source = session.get(facts["pid"])
        differences += [f"input '{role}': {difference}" for difference in verify(source.manifest)]
        now = input_record(source)
        if not differences and now.description != facts["description"]:
            differences.append(
                f"input '{role}': the description of {source.pid} was changed since the job"
            )
    if differences:
        raise InputError(
            f"{dataset.pid} cannot be confirmed: " + "; ".join(differences),
            remedy="put back what was changed, or run the recipe again for a new result",
        )


def _compare(record: JobRecord, outcome: Outcome, programs: Mapping[str, str]) -> list[str]:
    """What came out otherwise than recorded, a sentence each."""
    found = []
    for name, estimate in outcome.estimates.items():
        recorded = record.estimates.get(name, {})
        if recorded.get("value") != estimate.value:
            found.append(
                f"estimate of {name}: recorded {recorded.get('value')!r}, now {estimate.value!r}"
            )
    if outcome.output.digest != record.digest:
        found.append("the numbers of the result are not those that were recorded")
        found += [
            f"{name}: recorded {was}, now {programs.get(name)}"
            for name, was in record.environment.items()
            if programs.get(name) != was
        ]
    return found


def _is_stored(dataset: Dataset, record: JobRecord, outcome: Outcome, folder: Path) -> bool:
    """True if the stored arrays are all there and hold the recorded numbers."""
    if verify(dataset.manifest):
        return False
    home = outcome.output.moved(folder / ATTEMPT, folder)
    try:
        return stored_digest(home) == record.digest
    except InputError:
        return False


def _put_back(
    session: "Session",
    plan: "JobPlan",
    dataset: Dataset,
    outcome: Outcome,
    record: JobRecord,
    folder: Path,
) -> None:
    from lightwell.session.jobs import draw_and_report
    from lightwell.session.results import store_result

    # Before the files are touched: that one may see a result does not make it one's own.
    session.catalog.check_changeable(dataset.pid)
    attempt = folder / ATTEMPT
    output = outcome.output.moved(attempt, folder)
    for part, own in zip(outcome.output.parts(), output.parts(), strict=True):
        shutil.rmtree(own.folder, ignore_errors=True)
        own.folder.parent.mkdir(parents=True, exist_ok=True)
        part.folder.rename(own.folder)
    draw_and_report(
        session.installation, plan.spec, dataclasses.replace(outcome, output=output), folder
    )
    store_result(
        session.installation,
        session.catalog,
        plan.recipe,
        plan.main,
        output,
        record,
        dataset.pid,
        folder,
        session.user,
    )
