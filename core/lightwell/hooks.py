"""Hooks: the whole surface through which a plugin adds to lightwell.

The prefix tells the calling convention: ``provide_*`` are collected from every plugin,
``resolve_*`` take the first answer that is not None, ``on_*`` are told and answer nothing.
Hook modules import nothing heavy; bodies import their own package.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from lightwell.conversion import Converter
    from lightwell.datasets import Dataset
    from lightwell.files import File
    from lightwell.importers import Importer
    from lightwell.model import Entry
    from lightwell.previews import Preview
    from lightwell.recipes import Recipe
    from lightwell.simulators import Simulator
    from lightwell.steps import Step

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
    def provide_converters(self) -> "Iterable[Converter]":  # type: ignore[empty-body]
        """Formats that `lightwell convert` writes, each with a name of its own."""

    @hookspec(firstresult=True)
    def resolve_importer(self, file: "File", candidates: "list[Importer]") -> "Importer | None":
        """Choose among several importers that claim a file; no answer makes it an error."""

    @hookspec(historic=True)
    def on_startup(self, installation: Any) -> None:
        """An installation was opened; a plugin registered later hears it too."""

    @hookspec
    def on_ingested(self, dataset: "Dataset") -> None:
        """A dataset was catalogued, or its description renewed."""

    @hookspec
    def on_job_finished(self, dataset: "Dataset") -> None:
        """A job ended and its result was catalogued."""
