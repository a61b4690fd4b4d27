"""A session: an installation opened by one user; the verbs live here."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lightwell.access import named
from lightwell.catalog.query import EVERY, Query
from lightwell.datasets import Dataset
from lightwell.engines import Event, Slices
from lightwell.errors import MissingMetadata, UnknownName
from lightwell.installation import Installation
from lightwell.session.chosen import chosen_frames
from lightwell.session.ingest import ingest
from lightwell.session.jobs import REPORT, Job, JobPlan
from lightwell.session.keeping import KeeperVerbs
from lightwell.session.planning import Wanted, plan_job
from lightwell.session.rights import Rights, share
from lightwell.stacks import LazyArray, open_array, take
from lightwell.users import User, local_user
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.access import Grant
    from lightwell.calibration import Calibrated
    from lightwell.catalog.protocol import Catalog, Page
    from lightwell.catalog.totals import Totals
    from lightwell.conversion import Converted
    from lightwell.exports import Exported
    from lightwell.frame_index import FrameRuns, Selection, SelectionStore
    from lightwell.recipes import Recipe
    from lightwell.session.consolidate import Consolidated
    from lightwell.session.diff import Comparison
    from lightwell.session.editing import Edited
    from lightwell.session.replay import Replayed
    from lightwell.session.who_can import WhoCan
    from lightwell.simulators import Simulated

__all__ = ["Session", "open"]


def open(
    path: str | os.PathLike[str] | None = None,
    *,
    user: User | str | None = None,
    plugins: Sequence[ModuleType | str] = (),
) -> "Session":
    """Open the installation a settings file describes, or the default one, as a user.

    path : a `lightwell.toml`; without it ./lightwell.toml if there is one, else the defaults;
    user : who works, for services; without it whoever runs the process. A name is looked up in the
    user office or the settings, a `User` is taken as it is.
    Errors: ParameterError for settings that are wrong; PluginError where access depends on a
    plugin that is not there.
    """
    installation = Installation.configured(path, plugins=plugins)
    if user is None:
        who = installation.user(local_user().name)
        return Session(installation, who, keeper=installation.is_kept_here)
    return Session(installation, installation.user(user) if isinstance(user, str) else user)


class Session(KeeperVerbs):
    """What one user does with an installation: ingest, find, run, replay."""

    def __init__(self, installation: Installation, user: User, *, keeper: bool = False) -> None:
        self.installation = installation
        self.user = user
        self.rights = Rights(installation, user, keeper or installation.policy.keeps(user))

    @cached_property
    def catalog(self) -> "Catalog":
        """The catalog as this user may see it."""
        return self.rights.view()

    def ingest(
        self, path: str | os.PathLike[str], *, text: bool = False, **options: Any
    ) -> list[Dataset]:
        """Describe and remember what stands at a path; a file may hold several datasets.

        options : the importer's own, for what the files do not say; text : they were typed.
        Errors: InputError in one sentence.
        """
        from lightwell.hdf5 import release

        try:
            return ingest(self.rights, os.fspath(path), options, text=text)
        finally:
            # HDF5 lets nobody in this process open a file otherwise than we keep it open.
            release()

    def get(self, pid: str) -> Dataset:
        """The dataset of that pid.

        Errors: NotFound.
        """
        return self.catalog.get(pid)

    def find(self, query: Query = EVERY, *, limit: int = 20, cursor: str | None = None) -> "Page":
        """The newest datasets a query is true of, a page at a time."""
        return self.catalog.find(query, limit=limit, cursor=cursor)

    def frames(
        self,
        question: Query | str,
        *,
        datasets: Query = EVERY,
        pids: Sequence[str] | None = None,
        region: str | None = None,
    ) -> "Selection":
        """The frames a question is true of, e.g. ``ring_current < 390 mA and sample_x in [1, 2]``.

        datasets : a question to the catalog; pids : look into these alone; region : rows and
        columns that frame_min and frame_max are of, as in ``100:200,300:400``.
        Errors: UnknownName with the nearest channel; ParameterError, UnitError, NotFound.
        """
        from lightwell.hdf5 import release
        from lightwell.session.frames import select_frames

        try:
            return select_frames(self, question, datasets=datasets, pids=pids, region=region)
        finally:
            release()

    @property
    def selections(self) -> "SelectionStore":
        """The selections of frames that this user has saved, by name."""
        from lightwell.frame_index import SelectionStore

        return SelectionStore(self.installation.home, self.user.name)

    def index_frames(self, pid: str, *, statistics: bool = False) -> Dataset:
        """Index the frames of a dataset anew; statistics : read all pixels for their statistics.

        Errors: NotFound; MissingSource, UnreadableFile where the files cannot be read.
        """
        from lightwell.session.indexing import index_again

        return index_again(self, pid, statistics=statistics)

    def recipe(self, name: str) -> "Recipe[Any, Any]":
        """The recipe of that name.

        Errors: UnknownName with the nearest one.
        """
        recipes = self.installation.plugins.recipes
        if name in recipes:
            return recipes[name]  # type: ignore[no-any-return]
        why = self._missing_plugin(name) or f"there is no recipe '{name}'"
        raise UnknownName(why, remedy=nearest(name, recipes))

    def plan(
        self,
        recipe: "str | Recipe[Any, Any]",
        dataset: "Dataset | Selection | str",
        parameters: Mapping[str, Any],
        **wanted: Any,
    ) -> JobPlan:
        """Work out everything a job needs, without starting it; the options are those of `run`.

        wanted : what `lightwell.session.planning.Wanted` names.
        Errors: InputError for a recipe, parameter, dataset or file that does not fit.
        """
        chosen = self.recipe(recipe) if isinstance(recipe, str) else recipe
        return plan_job(self, chosen, dataset, parameters, Wanted(**wanted))

    def run(
        self,
        recipe: "str | Recipe[Any, Any]",
        dataset: "Dataset | Selection | str",
        *,
        frames: "Selection | FrameRuns | Query | str | None" = None,
        slices: Slices | str | None = None,
        memory: int | str | None = None,
        workers: int | None = None,
        using: Mapping[str, Dataset | str] | None = None,
        bin: int = 1,
        sweep: Mapping[str, Sequence[Any]] | None = None,
        keep: Sequence[str] = (),
        wait: bool = True,
        on_event: Callable[[Event], None] | None = None,
        **parameters: Any,
    ) -> Job:
        """Start a recipe on a dataset; what was computed before is not computed again.

        dataset : or a selection of frames of one, or the name of such; frames : the part of its
        frames to take, as a selection, its name, a question or numbers as in "0-99,150";
        slices : along the result's axis, in points of the detector; memory : the budget of the
        job; using : datasets for the recipe's other inputs, by role; bin : so many detector
        pixels along each edge are averaged to one; sweep : one parameter and its values, for the
        middle slice unless `slices` says otherwise; keep : steps whose output later jobs may
        begin from; wait : for the memory that other jobs of the installation have.
        Errors: InputError before anything starts; the job's `result` raises the rest.
        """
        plan = self.plan(
            recipe,
            dataset,
            parameters,
            frames=frames,
            slices=slices,
            memory=memory,
            workers=workers,
            using=using or {},
            bin=bin,
            sweep=sweep,
            keep=keep,
            wait=wait,
            on_event=on_event,
        )
        return self.start(plan)

    def start(self, plan: JobPlan) -> Job:
        """Start a planned job, or find that it was done before."""

        def work(engine: Any) -> Dataset:
            from lightwell.hdf5 import release

            try:
                done = plan.finished()
                # One of the same pid may be there and not be for this user to see.
                return self.get(done.pid) if done else plan.execute(engine, self.catalog, self.user)
            finally:
                # HDF5 lets nobody in this process open a file otherwise than we keep it open.
                release()

        return Job(work, plan.spec.folder)

    def keep_ready(self) -> None:
        """Have a worker wait from now on, so that jobs of this process begin seconds sooner.

        For services and notebooks: it takes a quarter of a gigabyte beside the memory of jobs.
        """
        from lightwell.engines.standby import keep_ready

        keep_ready(self.installation.cache)

    def report(self, dataset: Dataset) -> dict[str, Any]:
        """Timings, pictures and facts about the host of the job that made a dataset."""
        path = Path(self.whole(dataset).path).parent / REPORT
        found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found

    def array(
        self,
        dataset: Dataset,
        path: str | None = None,
        *,
        frames: "Selection | FrameRuns | Query | str | None" = None,
    ) -> LazyArray:
        """An array of a dataset, unread: the one to plot, or that at a path of the entry.

        frames : the part of its frames to take, as in `run`.
        Errors: MissingMetadata where the entry has none there; MissingSource naming a file that
        is gone when it is read.
        """
        whole = self.whole(dataset)
        entry = whole.entry
        if path is None:
            data = entry.data.get(entry.default or "data")
            ref = data.fields.get(data.signal) if data and data.signal else None
        else:
            ref = entry.lookup(path)
        if ref is None:
            raise MissingMetadata(f"{dataset.pid} has no array at {path or 'its default'}")
        lazy = open_array(ref, whole.manifest)
        if frames is None:
            return lazy
        return take(lazy, chosen_frames(self, whole, frames).runs.frames())

    def replay(self, result: str | os.PathLike[str], **options: Any) -> "Replayed":
        """Compute a result again from its record and say whether it is equal.

        result : the pid, or the path of the NeXus file.
        Errors: InputError naming the input or the parameter that is not what it was.
        """
        from lightwell.session.replay import replay

        return replay(self, os.fspath(result), **options)

    def consolidate(self, result: str | os.PathLike[str]) -> "Consolidated":
        """Merge the segments of a result into one file; its numbers and its pid stay.

        result : the pid, or the path of the NeXus file.
        Errors: DamagedResult where the files are not what was recorded; Conflict.
        """
        from lightwell.hdf5 import release
        from lightwell.session.consolidate import consolidate

        try:
            return consolidate(self, os.fspath(result))
        finally:
            release()

    def retire(self, pid: str, *, why: str) -> Dataset:
        """Leave a dataset out of searches; nothing is deleted, and the journal keeps the reason.

        Errors: NotFound.
        """
        return self.catalog.retire(pid, by=self.user, why=why)

    def supersede(self, old: str, new: str, *, why: str) -> Dataset:
        """Record that one dataset takes the place of another; returns the one that was replaced.

        Errors: NotFound; ParameterError for twice the same.
        """
        return self.catalog.supersede(old, new, by=self.user, why=why)

    def grant(
        self,
        pid: str,
        to: str,
        *,
        until: str | None = None,
        public_from: str | None = None,
        why: str = "",
    ) -> "Grant":
        """Let a user, `proposal:…`, `group:…`, `staff:…` or the `public` see a dataset.

        Whoever sees all a result was made of sees the result. until : the last day; public_from :
        the first one, for the public. The same again with other dates takes the place of it.
        Errors: NotFound; NotAllowed for who may not share it; ParameterError.
        """
        return share(
            self.catalog, pid, to, by=self.user, until=until, public_from=public_from, why=why
        )

    def revoke(self, pid: str, to: str, *, why: str = "") -> None:
        """Take a grant back, at once, also for what was made of the dataset.

        Errors: NotFound; NotAllowed for who may not share it.
        """
        self.catalog.revoke(pid, named(to), by=self.user, why=why)

    def who_can(self, pid: str, user: str | None = None) -> "WhoCan":
        """Explain who sees a dataset, or whether and why one user does.

        Errors: NotFound; NotAllowed for who asks about others and may not share the dataset.
        """
        from lightwell.session.who_can import who_can

        return who_can(self.rights, pid, user)

    def edit(
        self, query: Query, values: Mapping[str, Any], *, why: str, dry_run: bool = False
    ) -> "Edited":
        """Set fields of every dataset a query is true of and this user may change.

        values : field -> value, text with units understood. Done twice it is done once.
        Errors: ParameterError, UnitError for a field or value that cannot be.
        """
        from lightwell.session.editing import edit

        schemas = self.installation.plugins.schemas
        return edit(
            self.catalog, query, values, by=self.user, why=why, schemas=schemas, dry_run=dry_run
        )

    def stats(self) -> "Totals":
        """How much there is that this user sees: datasets, sizes, owners."""
        return self.catalog.stats()

    def diff(self, one: str, other: str, *, arrays: bool = True) -> "Comparison":
        """What changed from one result, or scan, to another; arrays : compare the numbers too.

        Errors: NotFound, ParameterError.
        """
        from lightwell.hdf5 import release
        from lightwell.session.diff import compare

        try:
            return compare(self, one, other, arrays=arrays)
        finally:
            release()

    def export(
        self,
        dataset: Dataset,
        format: str,
        path: str | os.PathLike[str],
        **options: Any,
    ) -> "Exported":
        """Write a volume for another program: tiff, raw, png or ome-zarr, a slab at a time.

        options : array, slices, dtype and limits, as `lightwell.exports.export` takes them.
        Errors: InputError in one sentence; nothing that stands at the path is touched.
        """
        from lightwell.exports import export

        return export(self.whole(dataset), format, path, **options)

    def convert(
        self,
        dataset: Dataset,
        to: str,
        path: str | os.PathLike[str],
        *,
        compression: str | None = None,
    ) -> "Converted":
        """Write a dataset as one file that needs no other: nexus, or a format of a plugin.

        Errors: InputError in one sentence; nothing that stands at the path is touched.
        """
        from lightwell.conversion import convert

        converters = self.installation.plugins.converters
        return convert(
            self.whole(dataset), to, path, converters=converters, compression=compression
        )

    def simulate(
        self, name: str, path: str | os.PathLike[str], *, text: bool = False, **parameters: Any
    ) -> "Simulated":
        """Write a simulated scan with known truth; text says that the parameters were typed.

        Errors: UnknownName, ParameterError.
        """
        simulators = self.installation.plugins.simulators
        if name not in simulators:
            raise UnknownName(f"there is no simulator '{name}'", remedy=nearest(name, simulators))
        return simulators[name].run(Path(path), parameters, text=text)  # type: ignore[no-any-return]

    def calibrate(
        self, name: str, dataset: Dataset | str, *, text: bool = False, **parameters: Any
    ) -> "Calibrated":
        """Find the constants of an instrument in a measurement of a known sample.

        text says that the parameters were typed.
        Errors: UnknownName, ParameterError, MissingMetadata; InputError where the measurement
        does not determine them.
        """
        from lightwell.session.jobs import load_whole

        known = self.installation.plugins.calibrations
        if name not in known:
            raise UnknownName(f"there is no calibration '{name}'", remedy=nearest(name, known))
        source = self.get(dataset) if isinstance(dataset, str) else self.whole(dataset)
        values = known[name].resolve(parameters, source.entry.lookup, text=text)
        found: Calibrated = known[name].find(load_whole(known[name].of, source), **values)
        return found

    def _missing_plugin(self, recipe: str) -> str | None:
        """Why there is no recipe of a technique at all, where that is the reason."""
        technique = recipe.partition(".")[0]
        known = {status.name: status.problem for status in self.installation.plugins.status}
        if "." not in recipe or any(r.startswith(f"{technique}.") for r in self._recipe_names()):
            return None
        if technique not in known:
            return f"there is no recipe '{recipe}', since no plugin '{technique}' is installed here"
        problem = known[technique]
        return f"plugin '{technique}' did not load: {problem}" if problem else None

    def _recipe_names(self) -> list[str]:
        return list(self.installation.plugins.recipes)

    def whole(self, dataset: Dataset) -> Dataset:
        """The dataset with its list of files, which a listing leaves out.

        Access may have ended since somebody got it: it is got again.
        """
        if dataset.file_list is not None and self.rights.keeper:
            return dataset
        return self.get(dataset.pid)

    def check_schema(self, recipe: "Recipe[Any, Any]", dataset: Dataset) -> None:
        """Refuse a dataset whose description only a plugin that is not here understands.

        Errors: UnknownName.
        """
        definition = dataset.definition
        known = self.installation.plugins.schemas
        if definition and definition not in known:
            raise UnknownName(
                f"{dataset.pid} is described by {definition}, which no plugin here knows",
                where=dataset.path,
                remedy=f"install the plugin it came with to run {recipe.name} on it",
            )
