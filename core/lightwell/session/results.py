"""Results: the arrays of a finished job become a NeXus file and a derived dataset."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.datasets import Dataset, ManifestSummary, ReplicaSummary, now
from lightwell.engines import Output, Sweep
from lightwell.engines.results import gather_arrays
from lightwell.files import File
from lightwell.manifests import Manifest, build_manifest
from lightwell.model import (
    ArrayRef,
    Data,
    Entry,
    Instrument,
    Note,
    Parameters,
    Process,
)
from lightwell.model.base import Group
from lightwell.model.process import Parameter
from lightwell.session.descriptions import as_first_seen, with_master, write_description
from lightwell.session.records import JobRecord
from lightwell.storage import Evidence, replicas_of
from lightwell.users import User

if TYPE_CHECKING:
    from lightwell.catalog.protocol import Catalog
    from lightwell.installation import Installation
    from lightwell.recipes import Recipe

__all__ = [
    "ARRAYS",
    "MAIN_PROCESS",
    "RECORD_NOTE",
    "describe_result",
    "result_file",
    "result_manifest",
    "store_result",
]

MAIN_PROCESS = "reconstruction"
"""The group NXtomoproc names; it holds the job as a whole, the steps stand beside it."""

RECORD_NOTE = "record"
ARRAYS = "arrays.h5"


def result_file(folder: Path, pid: str) -> Path:
    """Where the NeXus file of a result stands in its folder."""
    return folder / f"{pid}.nxs"


def store_result(
    installation: "Installation",
    catalog: "Catalog",
    recipe: "Recipe[Any, Any]",
    source: Dataset,
    output: Output,
    record: JobRecord,
    pid: str,
    folder: Path,
    owner: User,
) -> Dataset:
    """Write the NeXus file of a result and catalogue it; the file comes last, and whole.

    catalog : what the owner of the job sees and changes. Errors: NotAllowed, Conflict for a result
    that is here already and not theirs to change.
    """
    catalog.check_changeable(pid)
    given = {name.rpartition(".")[2]: one["value"] for name, one in record.parameters.items()}
    refs = gather_arrays(output, folder / ARRAYS, output.product.units(source.entry, given))
    entry = _entry(installation, recipe, source, output, record, refs)
    path = result_file(folder, pid)
    arrays = [path for part in output.parts() for path in sorted(part.folder.glob("seg_*.h5"))]
    listed = result_manifest(folder, arrays)
    dataset = _dataset(installation, listed, entry, source, record, pid, path, owner.name)
    first = as_first_seen(installation, dataset)
    stored = describe_result(installation, catalog, first, owner, "job")
    installation.plugins.tell("on_job_finished", dataset=stored)
    return stored


def result_manifest(folder: Path, segments: Sequence[Path]) -> Manifest:
    """The files of a result below its folder, but for the one that describes it."""
    inner = [(ARRAYS, "arrays"), *((os.path.relpath(p, folder), "segment") for p in segments)]
    return build_manifest(File(folder), inner)


def describe_result(
    installation: "Installation", catalog: "Catalog", dataset: Dataset, owner: User, method: str
) -> Dataset:
    """Write the file that describes a result, then have the catalog remember it."""
    path = Path(dataset.path)
    evidence = Evidence(now(), owner.name, method)
    write_description(path, dataset, evidence)
    dataset = with_master(dataset, path)
    store = installation.stores.holding(path)
    copies = replicas_of(
        dataset.manifest, store, when=evidence.when, by=evidence.by, method=evidence.method
    )
    return catalog.put(dataset, by=owner, replicas=copies)


def _dataset(
    installation: "Installation",
    manifest: Manifest,
    entry: Entry,
    source: Dataset,
    record: JobRecord,
    pid: str,
    path: Path,
    owner: str,
) -> Dataset:
    store = installation.stores.holding(path)
    return Dataset(
        pid=pid,
        kind="derived",
        importer="lightwell",
        path=str(path),
        entry=entry,
        summary=ManifestSummary.of(manifest),
        owner=owner,
        entry_name="entry",
        proposal=source.proposal,
        derived_from=tuple(sorted({facts["pid"] for facts in record.inputs.values()})),
        job=record.to_json(),
        replicas=(
            ReplicaSummary(store.name, store.tier, "online", len(manifest.files), manifest.size),
        ),
        file_list=manifest,
    )


def _entry(
    installation: "Installation",
    recipe: "Recipe[Any, Any]",
    source: Dataset,
    output: Output,
    record: JobRecord,
    refs: Mapping[str, ArrayRef],
) -> Entry:
    # A definition says how many axes its arrays have, and a sweep adds one.
    definition = output.product.result_definition if output.sweep is None else None
    schema = installation.plugins.schemas.get(definition, Entry) if definition else Entry
    described = source.entry
    instrument = described.instrument
    if instrument is not None:
        kept = {n: getattr(instrument, n) for n in ("name", "source", "beam", "monochromator")}
        instrument = Instrument(**{n: _without_arrays(g) for n, g in kept.items()})
    return schema(
        title=f"{described.title or Path(source.path).stem}: {recipe.name}",
        start_time=described.start_time,
        end_time=described.end_time,
        experiment_identifier=described.experiment_identifier,
        technique=described.technique,
        instrument=instrument,
        sample=_without_arrays(described.sample),
        users=described.users,
        process=_processes(installation, recipe, record, source),
        data={"data": _data(recipe, described, output, refs)},
        default="data",
    )


def _without_arrays(group: Any) -> Any:
    """A group of the input without its arrays, which belong to the input's own files."""
    if not isinstance(group, Group):
        return group
    changes: dict[str, Any] = {}
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, ArrayRef):
            changes[name] = None
        elif isinstance(value, Group):
            changes[name] = _without_arrays(value)
    return group.model_copy(update=changes)


def _processes(
    installation: "Installation", recipe: "Recipe[Any, Any]", record: JobRecord, source: Dataset
) -> dict[str, Process]:
    date = datetime.now(UTC)
    version = record.environment["lightwell"]
    values = {
        name: Parameter(value=_scalar(facts["value"]), unit=facts["unit"])
        for name, facts in record.parameters.items()
    }
    values["raw_file"] = Parameter(value=source.path)
    taken = record.inputs[next(iter(record.inputs))].get("frames")
    if taken:
        asked = f": {taken['question']}" if taken["question"] else ""
        words = f"{taken['count']} of {taken['of']}{asked}"
        values["frames"] = Parameter(value=words)
    if record.bin != 1:
        values["binning"] = Parameter(value=record.bin, unit="pixel")
    note = Note(
        type="application/json",
        description="recipe, parameters, inputs and environment of the job",
        data=json.dumps(record.to_json(), sort_keys=True),
    )
    found = {
        MAIN_PROCESS: Process(
            program="lightwell",
            version=version,
            date=date,
            sequence_index=1,
            parameters=Parameters(values=values),
            notes={RECORD_NOTE: note},
        )
    }
    for index, step in enumerate(recipe.steps()):
        own = {
            slot.parameter.name: values[address]
            for address, slot in recipe.slots.items()
            if slot.step == index
        }
        package = installation.plugins.distribution_of(step.__module__)
        found[f"{index + 1:02d}_{step.name}"] = Process(
            program=step.reference,
            version=package[1] if package else None,
            date=date,
            sequence_index=index + 2,
            parameters=Parameters(values=own),
        )
    return found


def _scalar(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else json.dumps(value)


def _data(
    recipe: "Recipe[Any, Any]", source: Entry, output: Output, refs: Mapping[str, ArrayRef]
) -> Data:
    """The arrays of the last product to plot: the first is the signal, with its axes."""
    dims = output.product.dims()
    signal = next(iter(dims))
    names = output.shown(dims[signal].names)
    fields = dict(refs)
    axes = []
    if output.sweep is not None:
        label, values = _swept_axis(recipe, output.sweep)
        fields[label] = values
        axes.append(label)
    known = output.product.coordinates(source, _lengths(output, refs))
    for axis, length in zip(names, refs[signal].shape[len(axes) :], strict=True):
        if axis in dims and dims[axis].names == (axis,):
            # The product itself says what is along the axis.
            axes.append(axis)
            continue
        coordinate = known.get(axis)
        label = (coordinate.label if coordinate else None) or axis
        label = label if label not in fields else f"{label}_axis"
        fields[label] = _axis(output, axis, length, coordinate)
        axes.append(label)
    return Data(
        title=f"{signal}{_place(output, dims[signal].names, known)}",
        signal=signal,
        axes=tuple(axes),
        fields=fields,
        interpretation="image" if len(names) >= 2 else None,
    )


def _place(output: Output, names: Sequence[str], known: Mapping[str, Any]) -> str:
    """Where the one slice of a sweep is, in words; its axis is not among the array's."""
    if output.shown(names) == tuple(names):
        return ""
    point, coordinate = output.points[0], known.get(output.axis)
    if coordinate is None:
        return f" at {output.axis} {point}"
    label = coordinate.label or output.axis
    return f" at {label} = {coordinate.values[point]:g} {coordinate.unit}"


def _swept_axis(recipe: "Recipe[Any, Any]", sweep: Sweep) -> tuple[str, ArrayRef]:
    """The values of a sweep as an axis; those that are no numbers are counted."""
    slot = recipe.slots[sweep.address]
    label = sweep.address.replace(".", "_")
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in sweep.values):
        unit = slot.parameter.unit or ""
        parts = [ArrayRef.constant(float(v), 1, unit) for v in sweep.values]
        return label, ArrayRef.concatenate(*parts)
    return f"{label}_index", ArrayRef.even(0.0, len(sweep.values) - 1.0, len(sweep.values), "")


def _lengths(output: Output, refs: Mapping[str, ArrayRef]) -> dict[str, int]:
    dims = output.product.dims()
    lengths = {
        axis: length
        for name, ref in refs.items()
        for axis, length in zip(
            output.shown(dims[name].names), ref.shape[output.sweep is not None :], strict=True
        )
    }
    return {**lengths, output.axis: output.length}


def _axis(output: Output, axis: str, length: int, known: Any) -> ArrayRef:
    """The values along an axis: the product's own, else counted in pixels."""
    points = list(output.points) if axis == output.axis else list(range(length))
    values = [float(known.values[p]) for p in points] if known else [float(p) for p in points]
    unit = known.unit if known else "pixel"
    if length > 1 and _is_even(values):
        return ArrayRef.even(values[0], values[-1], length, unit)
    return ArrayRef.concatenate(*(ArrayRef.constant(v, 1, unit) for v in values))


def _is_even(values: list[float]) -> bool:
    step = (values[-1] - values[0]) / (len(values) - 1)
    return all(
        abs(v - values[0] - i * step) <= 1e-9 * (abs(step) + abs(v)) for i, v in enumerate(values)
    )
