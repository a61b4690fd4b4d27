"""A session: an installation opened by one user; the verbs live here."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lightwell.access import EverythingForTheLocalUser
from lightwell.catalog.query import EVERY, Query
from lightwell.datasets import Dataset, make_pid
from lightwell.engines import Event, JobSpec
from lightwell.errors import MissingMetadata, ParameterError, UnknownName
from lightwell.installation import Installation
from lightwell.session.ingest import ingest
from lightwell.session.jobs import REPORT, Job, JobPlan, input_sources, parse_slices
from lightwell.session.records import Slices, input_record, job_identity, software
from lightwell.settings import parse_size
from lightwell.stacks import LazyArray, open_array
from lightwell.users import User, local_user
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.catalog.protocol import Catalog, Page
    from lightwell.conversion import Converted
    from lightwell.exports import Exported
    from lightwell.recipes import Recipe
    from lightwell.session.diff import Comparison
    from lightwell.session.fsck import Checked
    from lightwell.session.reindex import Reindexed
    from lightwell.session.replay import Replayed
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
    user : who works, for services; without it whoever runs the process.
    Errors: ParameterError for settings that are wrong.
    """
    who = local_user() if user is None else User(user) if isinstance(user, str) else user
    return Session(Installation.configured(path, plugins=plugins), who)


class Session:
    """What one user does with an installation: ingest, find, run, replay."""

    def __init__(self, installation: Installation, user: User) -> None:
        self.installation = installation
        self.user = user

    @cached_property
    def catalog(self) -> "Catalog":
        """The catalog as this user may see it."""
        allowed = EverythingForTheLocalUser(local_user()).restriction(self.user)
        return self.installation.catalog.as_seen_through([allowed])

    def ingest(
        self, path: str | os.PathLike[str], *, text: bool = False, **options: Any
    ) -> list[Dataset]:
        """Describe and remember what stands at a path; a file may hold several datasets.

        options : the importer's own, for what the files do not say; text : they were typed.
        Errors: InputError in one sentence.
        """
        from lightwell.hdf5 import release

        try:
            return ingest(self.installation, os.fspath(path), options, owner=self.user, text=text)
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
        dataset: Dataset | str,
        parameters: Mapping[str, Any],
        *,
        slices: Slices | str | None = None,
        memory: int | str | None = None,
        workers: int | None = None,
        using: Mapping[str, Dataset | str] | None = None,
        text: bool = False,
        on_event: Callable[[Event], None] | None = None,
    ) -> JobPlan:
        """Work out everything a job needs, without starting it.

        Errors: InputError for a recipe, parameter, dataset or file that does not fit.
        """
        chosen = self.recipe(recipe) if isinstance(recipe, str) else recipe
        roles = list(chosen.inputs())
        given = {roles[0]: dataset, **(using or {})}
        unknown = [role for role in given if role not in roles]
        if unknown:
            raise UnknownName(
                f"{chosen.name} has no input '{unknown[0]}'", remedy=nearest(unknown[0], roles)
            )
        inputs = {
            role: self.get(d) if isinstance(d, str) else self._whole(d) for role, d in given.items()
        }
        main = inputs[roles[0]]
        self._check_schema(chosen, main)
        settings = chosen.settings(parameters, main.entry.lookup, text=text)
        cut = parse_slices(slices) if isinstance(slices, str) else slices
        records = {role: input_record(d) for role, d in inputs.items()}
        key = job_identity(
            chosen, settings, records, cut, software(chosen, self.installation.plugins)
        )
        pid = make_pid(key, chosen.name)
        previews = self.installation.plugins.previews
        spec = JobSpec(
            chosen,
            input_sources(chosen, inputs),
            settings,
            self.installation.home / "results" / pid,
            parse_size(memory) if memory is not None else self.installation.memory,
            workers or self.installation.workers,
            slices=cut,
            on_event=on_event,
            glimpses=[(p.of, p.along) for p in previews],
        )
        return JobPlan(self.installation, chosen, inputs, records, spec, key, pid)

    def run(
        self,
        recipe: "str | Recipe[Any, Any]",
        dataset: Dataset | str,
        *,
        slices: Slices | str | None = None,
        memory: int | str | None = None,
        workers: int | None = None,
        using: Mapping[str, Dataset | str] | None = None,
        on_event: Callable[[Event], None] | None = None,
        **parameters: Any,
    ) -> Job:
        """Start a recipe on a dataset; what was computed before is not computed again.

        slices : start, stop and step along the result's axis; memory : the budget of the job;
        using : datasets for the recipe's other inputs, by role.
        Errors: InputError before anything starts; the job's `result` raises the rest.
        """
        plan = self.plan(
            recipe,
            dataset,
            parameters,
            slices=slices,
            memory=memory,
            workers=workers,
            using=using,
            on_event=on_event,
        )
        return self.start(plan)

    def start(self, plan: JobPlan) -> Job:
        """Start a planned job, or find that it was done before."""

        def work(engine: Any) -> Dataset:
            from lightwell.hdf5 import release

            try:
                return plan.finished() or plan.execute(engine, self.user)
            finally:
                # HDF5 lets nobody in this process open a file otherwise than we keep it open.
                release()

        return Job(work)

    def report(self, dataset: Dataset) -> dict[str, Any]:
        """Timings, pictures and facts about the host of the job that made a dataset."""
        path = Path(dataset.path).parent / REPORT
        found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found

    def array(self, dataset: Dataset, path: str | None = None) -> LazyArray:
        """An array of a dataset, unread: the one to plot, or that at a path of the entry.

        Errors: MissingMetadata where the entry has none there; MissingSource naming a file that
        is gone when it is read.
        """
        whole = self._whole(dataset)
        entry = whole.entry
        if path is None:
            data = entry.data.get(entry.default or "data")
            ref = data.fields.get(data.signal) if data and data.signal else None
        else:
            ref = entry.lookup(path)
        if ref is None:
            raise MissingMetadata(f"{dataset.pid} has no array at {path or 'its default'}")
        return open_array(ref, whole.manifest)

    def replay(self, result: str | os.PathLike[str], **options: Any) -> "Replayed":
        """Compute a result again from its record and say whether it is equal.

        result : the pid, or the path of the NeXus file.
        Errors: InputError naming the input or the parameter that is not what it was.
        """
        from lightwell.session.replay import replay

        return replay(self, os.fspath(result), **options)

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

    def reindex(
        self, *, dry_run: bool = False, prune: bool = False, journal: Path | None = None
    ) -> "Reindexed":
        """Make the catalog anew from the descriptions on the disk and from its own journal.

        Errors: ParameterError for others than the keeper of the installation; Conflict.
        """
        from lightwell.session.reindex import reindex

        self._require_keeper("reindex")
        return reindex(
            self.installation, by=self.user, dry_run=dry_run, prune=prune, journal=journal
        )

    def fsck(self, *, content: bool = False, mend: bool = False) -> "Checked":
        """Compare files, catalog and journal; mend : remove what dead processes left unfinished.

        Errors: ParameterError for others than the keeper of the installation.
        """
        from lightwell.session.fsck import check

        self._require_keeper("fsck")
        return check(self.installation, content=content, mend=mend)

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

        return export(self._whole(dataset), format, path, **options)

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
            self._whole(dataset), to, path, converters=converters, compression=compression
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

    def _require_keeper(self, verb: str) -> None:
        if self.user != local_user():
            raise ParameterError(
                f"{verb} looks at the datasets of everybody; {self.user} may not",
                remedy="Whoever keeps the installation can run it",
            )

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

    def _whole(self, dataset: Dataset) -> Dataset:
        """The dataset with its list of files, which a listing leaves out."""
        return dataset if dataset.file_list is not None else self.get(dataset.pid)

    def _check_schema(self, recipe: "Recipe[Any, Any]", dataset: Dataset) -> None:
        definition = dataset.definition
        known = self.installation.plugins.schemas
        if definition and definition not in known:
            raise UnknownName(
                f"{dataset.pid} is described by {definition}, which no plugin here knows",
                where=dataset.path,
                remedy=f"install the plugin it came with to run {recipe.name} on it",
            )
