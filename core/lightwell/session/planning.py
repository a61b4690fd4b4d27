"""Planning a job: recipe, datasets, values and means brought together before anything starts."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightwell.binning import BinnedArray, binned_entry
from lightwell.datasets import Dataset, make_pid
from lightwell.engines import MIDDLE, Admission, Event, JobSpec, Keeping, Slices, Source, Sweep
from lightwell.errors import ParameterError, UnknownName
from lightwell.frame_index.channels import frame_stack
from lightwell.model.arrays import ArrayRef
from lightwell.session.asking import parse_choice, sweep_of
from lightwell.session.chosen import Chosen, chosen_frames, narrowed
from lightwell.session.jobs import JobPlan
from lightwell.session.records import InputRecord, input_record, job_identity, software
from lightwell.settings import parse_size
from lightwell.stacks import LazyArray, open_array
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.catalog.query import Query
    from lightwell.frame_index import FrameRuns, Selection
    from lightwell.installation import Installation
    from lightwell.recipes import Recipe, Setting
    from lightwell.session.session import Session

__all__ = ["Wanted", "input_sources", "plan_job"]

LEAST_MEMORY = 1 << 30
"""With less a job that may choose does not begin, while others have the rest."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What somebody wants of a job beside recipe, data and parameters.

    frames : the part of the main input's frames to take; slices : along the result's axis, in
    points of the detector; memory, workers : its means; using : datasets for the other inputs, by
    role; bin : detector pixels along each edge that become one; sweep : a parameter and its
    values; keep : steps whose output is kept; cached : whether to begin from what was kept;
    wait : for memory other jobs have; text : values were typed.
    """

    frames: "Selection | FrameRuns | Query | str | None" = None
    slices: Slices | str | None = None
    memory: int | str | None = None
    workers: int | None = None
    using: Mapping[str, Dataset | str] = dataclasses.field(default_factory=dict)
    bin: int = 1
    sweep: Mapping[str, Sequence[Any]] | None = None
    keep: Sequence[str] = ()
    cached: bool = True
    wait: bool = True
    text: bool = False
    on_event: Callable[[Event], None] | None = None


def plan_job(
    session: "Session",
    recipe: "Recipe[Any, Any]",
    dataset: "Dataset | Selection | str",
    parameters: Mapping[str, Any],
    wanted: Wanted,
) -> JobPlan:
    """Work out everything a job needs, without starting it.

    Errors: InputError for a parameter, dataset, file or wish that does not fit.
    """
    installation = session.installation
    source, frames = _taken_apart(session, dataset, wanted.frames)
    inputs = _inputs(session, recipe, source, wanted.using)
    factors = _factors(recipe, wanted.bin)
    seen = {role: _binned(d, wanted.bin) for role, d in inputs.items()}
    main = next(iter(seen.values()))
    session.check_schema(recipe, main)
    sweep = sweep_of(recipe, wanted.sweep, text=wanted.text) if wanted.sweep else None
    settings = _settings(recipe, parameters, main, sweep, text=wanted.text)
    slices = _slices(wanted.slices, sweep)
    first = next(iter(inputs))
    chosen = {} if frames is None else {first: chosen_frames(session, inputs[first], frames)}
    records = {role: input_record(d, chosen.get(role)) for role, d in inputs.items()}
    programs = software(recipe, installation.plugins)
    key = job_identity(recipe, settings, records, slices, programs, bin=wanted.bin, sweep=sweep)
    pid = make_pid(key, recipe.name)
    spec = JobSpec(
        recipe,
        input_sources(recipe, seen, factors, chosen),
        settings,
        installation.home / "results" / pid,
        parse_size(wanted.memory) if wanted.memory is not None else installation.memory,
        wanted.workers or installation.workers,
        slices=slices,
        on_event=wanted.on_event,
        glimpses=[(p.of, p.along) for p in installation.plugins.previews],
        binned=factors,
        sweep=sweep,
        keeping=_keeping(installation, recipe, records, programs, wanted),
        admission=_admission(installation, wanted),
        cache=installation.cache,
    )
    return JobPlan(installation, recipe, inputs, seen, records, spec, key, pid, bin=wanted.bin)


def _inputs(
    session: "Session",
    recipe: "Recipe[Any, Any]",
    main: Dataset | str,
    using: Mapping[str, Dataset | str],
) -> dict[str, Dataset]:
    roles = list(recipe.inputs())
    given = {roles[0]: main, **using}
    unknown = [role for role in given if role not in roles]
    if unknown:
        raise UnknownName(
            f"{recipe.name} has no input '{unknown[0]}'", remedy=nearest(unknown[0], roles)
        )
    return {
        role: session.get(d) if isinstance(d, str) else session.whole(d)
        for role, d in given.items()
    }


def _factors(recipe: "Recipe[Any, Any]", factor: int) -> dict[str, int]:
    """How many points along which axis become one.

    Errors: ParameterError where the main input has no axes of detector pixels.
    """
    if factor < 1:
        raise ParameterError(f"--bin {factor}", remedy="give 1 (nothing is binned) or more")
    if factor == 1:
        return {}
    products = recipe.inputs()
    axes = {axis for product in products.values() for axis in product.detector_axes}
    main = next(iter(products.values()))
    if not main.detector_axes:
        raise ParameterError(
            f"{recipe.name} cannot bin: {main.__name__} does not say which of its axes count "
            "detector pixels",
            remedy="leave out --bin",
        )
    return dict.fromkeys(sorted(axes), factor)


def _binned(dataset: Dataset, factor: int) -> Dataset:
    return dataclasses.replace(dataset, entry=binned_entry(dataset.entry, factor))


def _settings(
    recipe: "Recipe[Any, Any]",
    parameters: Mapping[str, Any],
    main: Dataset,
    sweep: Sweep | None,
    *,
    text: bool,
) -> "dict[str, Setting]":
    given = dict(parameters)
    if sweep is not None:
        if sweep.address in {recipe.address(name) for name in given}:
            raise ParameterError(
                f"'{sweep.address}' is both set and swept", remedy="leave one of them out"
            )
        # Any of its values, for what needs one before the sweep begins.
        given[sweep.address] = sweep.values[0]
    return recipe.settings(given, main.entry.lookup, text=text)


def _slices(asked: Slices | str | None, sweep: Sweep | None) -> Slices | None:
    if asked is None:
        return MIDDLE if sweep is not None else None
    return parse_choice(asked) if isinstance(asked, str) else asked


def _admission(installation: "Installation", wanted: Wanted) -> Admission:
    """What the job asks of the memory all jobs share: all it said, else what is left, if enough."""
    capacity = installation.capacity
    if wanted.memory is not None:
        least = parse_size(wanted.memory)
    else:
        least = min(max(capacity // 4, LEAST_MEMORY), installation.memory)
    return Admission(installation.home / "running", capacity, least, wait=wanted.wait)


def _keeping(
    installation: "Installation",
    recipe: "Recipe[Any, Any]",
    records: Mapping[str, InputRecord],
    programs: Mapping[str, str],
    wanted: Wanted,
) -> Keeping | None:
    if not wanted.cached:
        return None
    names = [step.name for step in recipe.steps()]
    for name in wanted.keep:
        if name not in names:
            raise UnknownName(f"{recipe.name} has no step '{name}'", remedy=nearest(name, names))
    inputs = {role: record.identity() for role, record in records.items()}
    # Not the recipe: two that begin alike share what they kept.
    content = {"inputs": inputs, "environment": dict(programs), "bin": wanted.bin}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return Keeping(installation.home / "kept", digest, tuple(wanted.keep))


def _taken_apart(session: "Session", dataset: Any, frames: Any) -> tuple[Any, Any]:
    """The dataset and the frames that a selection, or the name of one, stands for.

    Errors: ParameterError for a selection with frames besides.
    """
    from lightwell.frame_index import Selection

    if isinstance(dataset, str) and session.selections.has(dataset):
        dataset = session.selections.load(dataset)
    if not isinstance(dataset, Selection):
        return dataset, frames
    if frames is not None:
        raise ParameterError(
            "a selection says itself which frames to take",
            remedy="Give the pid of the dataset and the frames, or the selection alone",
        )
    return dataset.only()[0], dataset


def input_sources(
    recipe: "Recipe[Any, Any]",
    datasets: Mapping[str, Dataset],
    factors: Mapping[str, int],
    chosen: Mapping[str, Chosen],
) -> dict[str, Source]:
    """The arrays of every input of a recipe, unread, and binned along some axes.

    chosen : the part taken of an input's frames.
    Errors: ParameterError for an input without a dataset; MissingSource, MissingMetadata where a
    dataset lacks what the input's product needs.
    """
    found = {}
    for role, product in recipe.inputs().items():
        if role not in datasets:
            raise ParameterError(
                f"{recipe.name} needs a dataset as '{role}'",
                remedy=f"give it: --using {role}=PID",
            )
        arrays = _arrays(recipe, product, datasets[role], chosen.get(role))
        dims = product.dims()
        own = {axis: factor for axis, factor in factors.items() if axis in product.detector_axes}
        binned = {n: BinnedArray.along(a, dims[n].names, own) for n, a in arrays.items()}
        found[role] = Source(product, binned)
    return found


def _arrays(
    recipe: "Recipe[Any, Any]", product: Any, dataset: Dataset, chosen: Chosen | None
) -> dict[str, LazyArray]:
    """The arrays of one input, of the chosen frames alone."""
    opened: list[tuple[ArrayRef, LazyArray]] = []

    def opener(ref: ArrayRef) -> LazyArray:
        lazy = open_array(ref, dataset.manifest)
        opened.append((ref, lazy))
        return lazy

    arrays: dict[str, LazyArray] = dict(product.load(dataset.entry, opener))
    if chosen is None:
        return arrays
    stack = frame_stack(dataset.entry)
    lazy = next((lazy for ref, lazy in opened if ref == stack), None)
    if lazy is None:
        raise ParameterError(f"{recipe.name} does not take the frames of {dataset.pid}")
    return dict(narrowed(product, arrays, lazy, chosen.runs))
