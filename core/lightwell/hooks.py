"""Hooks: the whole surface through which a plugin adds to lightwell.

The prefix tells the calling convention: ``provide_*`` are collected from every plugin,
``resolve_*`` take the first answer that is not None, ``on_*`` are told and answer nothing.
Hook modules import nothing heavy; bodies import their own package.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from lightwell.access import AccessFilter
    from lightwell.calibration import Calibration
    from lightwell.catalog.backends import CatalogBackend
    from lightwell.conversion import Converter
    from lightwell.datasets import Dataset
    from lightwell.files import File
    from lightwell.importers import Importer
    from lightwell.model import Entry
    from lightwell.previews import Preview
    from lightwell.recipes import Recipe
    from lightwell.simulators import Simulator
    from lightwell.steps import Step
    from lightwell.users import User

__all__ = ["API", "Hooks", "hookimpl"]

API = 1
"""The version of these hooks; a plugin states the one it speaks as ``lightwell_api = 1``."""

hookspec = pluggy.HookspecMarker("lightwell")
hookimpl = pluggy.HookimplMarker("lightwell")


class Hooks:
    """The specifications; their docstrings are the reference."""

    @hookspec
    def provide_importers(self) -> "Iterable[Importer]":  # type: ignore[empty-body]
        """Importers, each with a name of its own."""

    @hookspec
    def provide_schemas(self) -> "Iterable[type[Entry]]":  # type: ignore[empty-body]
        """Entry classes; documents find theirs again by its definition."""

    @hookspec
    def provide_steps(self) -> "Iterable[Step]":  # type: ignore[empty-body]
        """Steps, to be listed and checked on their own."""

    @hookspec
    def provide_recipes(self) -> "Iterable[Recipe[Any, Any]]":  # type: ignore[empty-body]
        """Recipes, named ``technique.what``."""

    @hookspec
    def provide_previews(self) -> "Iterable[Preview]":  # type: ignore[empty-body]
        """Pictures of products."""

    @hookspec
    def provide_simulators(self) -> "Iterable[Simulator]":  # type: ignore[empty-body]
        """Simulators of scans with known truth."""

    @hookspec
    def provide_calibrations(self) -> "Iterable[Calibration]":  # type: ignore[empty-body]
        """Calibrations of instruments by known samples, each with a name of its own."""

    @hookspec
    def provide_converters(self) -> "Iterable[Converter]":  # type: ignore[empty-body]
        """Formats that `lightwell convert` writes, each with a name of its own."""

    @hookspec
    def provide_catalogs(self) -> "Iterable[CatalogBackend]":  # type: ignore[empty-body]
        """Kinds of catalog, each by the beginning of its addresses."""

    @hookspec(firstresult=True)
    def resolve_importer(self, file: "File", candidates: "list[Importer]") -> "Importer | None":
        """Choose among several importers that claim a file; no answer makes it an error."""

    @hookspec
    def provide_access_filters(self) -> "Iterable[AccessFilter]":  # type: ignore[empty-body]
        """What a user may see beside what the rules allow: queries, ANDed, so that each takes away.

        They are not asked for keepers. One that fails ends the session: leaving it out would show
        more.
        """

    @hookspec(firstresult=True)
    def resolve_user(self, name: str) -> "User | None":
        """Look a user up in the user office: proposals, beamlines they are staff of, groups."""

    @hookspec(historic=True)
    def on_startup(self, installation: Any) -> None:
        """An installation was opened; a plugin registered later hears it too."""

    @hookspec
    def on_ingested(self, dataset: "Dataset") -> None:
        """A dataset was catalogued, or its description renewed."""

    @hookspec
    def on_job_finished(self, dataset: "Dataset") -> None:
        """A job ended and its result was catalogued."""
