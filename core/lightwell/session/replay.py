"""Replay: a result computed again from its record, compared, and put back where it is gone."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.datasets import Dataset
from lightwell.engines import Event, Outcome
from lightwell.engines.local import LocalEngine
from lightwell.engines.verification import stored_digest
from lightwell.errors import DamagedResult, InputError, LightwellError, NotFound, ParameterError
from lightwell.manifests import verify
from lightwell.session.records import JobRecord, input_record
from lightwell.session.results import MAIN_PROCESS, RECORD_NOTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightwell.session.session import Session

__all__ = ["Replayed", "replay"]


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
) -> Replayed:
    """Compute a result again and compare it with its record.

    Errors: InputError where inputs or parameters are not what they were, naming each; NotFound.
    """
    dataset = _find(session, result)
    record = JobRecord.from_json(dataset.job, where=dataset.pid)
    _check_unchanged(session, dataset, record)
    plan = session.plan(
        record.recipe["name"],
        record.inputs[_main_role(record)]["pid"],
        _given(record),
        slices=record.slices,
        memory=memory,
        workers=workers,
        using={role: facts["pid"] for role, facts in list(record.inputs.items())[1:]},
        on_event=on_event,
    )
    if plan.recipe.to_json() != record.recipe:
        raise InputError(
            f"the recipe {plan.recipe.name} is not the one that made {dataset.pid}",
            remedy="install the version of the plugin that is named in the result",
        )
    folder = Path(dataset.path).parent
    attempt = folder / "replay"
    outcome = LocalEngine().run(dataclasses.replace(plan.spec, folder=attempt, glimpses=()))
    changed = _compare(record, outcome)
    rebuilt = not changed and not _is_stored(dataset, record, outcome, folder)
    if rebuilt:
        _put_back(session, plan, dataset, outcome, record, folder)
    shutil.rmtree(attempt, ignore_errors=True)
    verdict = "different" if changed else "equal"
    return Replayed(
        dataset.pid, verdict, rebuilt, tuple(changed), outcome.output.digest, record.digest
    )


def _find(session: "Session", result: str) -> Dataset:
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


def _given(record: JobRecord) -> dict[str, Any]:
    """Every value as it was recorded; what was estimated is estimated again."""
    return {
        name: facts["value"]
        for name, facts in record.parameters.items()
        if facts["origin"] != "estimate"
    }


def _check_unchanged(session: "Session", dataset: Dataset, record: JobRecord) -> None:
    """Refuse to compare with changed inputs or a changed record, and say what changed.

    Errors: InputError naming every file and parameter.
    """
    differences = _record_differences(dataset, record)
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


def _record_differences(dataset: Dataset, record: JobRecord) -> list[str]:
    """What the result's file says otherwise than the catalog."""
    from lightwell.nexus import read_entry

    path = Path(dataset.path)
    if not path.exists():
        return []
    try:
        process = read_entry(path).process[MAIN_PROCESS]
        note = json.loads(process.notes[RECORD_NOTE].data or "{}")
        in_file = JobRecord.from_json(note, where=str(path))
    except (LightwellError, KeyError, ValueError) as error:
        raise DamagedResult(
            f"the record in the result cannot be read ({error})",
            where=str(path),
            remedy="delete the file and replay the pid: it is written anew",
        ) from error
    found = _differing("parameter", record.parameters, in_file.parameters)
    shown = process.parameters.values if process.parameters else {}
    for name, facts in record.parameters.items():
        value = shown[name].value if name in shown else None
        plain = isinstance(facts["value"], (bool, int, float, str))
        if plain and value != facts["value"]:
            found.append(f"parameter {name}: recorded {facts['value']!r}, the file says {value!r}")
    if in_file.digest != record.digest:
        found.append("the digest in the file is not the one in the catalog")
    return list(dict.fromkeys(found))


def _differing(
    what: str, one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    return [
        f"{what} {name}: recorded {one.get(name, {}).get('value')!r}, "
        f"the file says {other.get(name, {}).get('value')!r}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]


def _compare(record: JobRecord, outcome: Outcome) -> list[str]:
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
            f"{name}: recorded {was}, now {outcome.report['environment'].get(name)}"
            for name, was in record.environment.items()
            if outcome.report["environment"].get(name) != was
        ]
    return found


def _is_stored(dataset: Dataset, record: JobRecord, outcome: Outcome, folder: Path) -> bool:
    """True if the stored arrays are all there and hold the recorded numbers."""
    if verify(dataset.manifest, content=False):
        return False
    home = folder / outcome.output.folder.name
    try:
        stored = stored_digest(dataclasses.replace(outcome.output, folder=home))
        return stored == record.digest
    except InputError:
        return False


def _put_back(
    session: "Session", plan: Any, dataset: Dataset, outcome: Outcome, record: JobRecord, folder: Path
) -> None:
    from lightwell.session.results import store_result

    home = folder / outcome.output.folder.name
    shutil.rmtree(home, ignore_errors=True)
    outcome.output.folder.rename(home)
    output = dataclasses.replace(outcome.output, folder=home)
    store_result(
        session.installation,
        plan.recipe,
        plan.main,
        output,
        record,
        dataset.pid,
        folder,
        session.user,
    )
