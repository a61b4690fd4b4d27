"""What ptychography adds to lightwell; everything heavy is imported when it is asked for."""

from typing import TYPE_CHECKING, Any

from lightwell.hooks import hookimpl

if TYPE_CHECKING:
    from lightwell.calibration import Calibration
    from lightwell.conversion import Converter
    from lightwell.importers import Importer
    from lightwell.model import Entry
    from lightwell.previews import Preview
    from lightwell.recipes import Recipe
    from lightwell.simulators import Simulator
    from lightwell.steps import Step

lightwell_api = 1


@hookimpl
def provide_importers() -> "list[Importer]":
    from lightwell_ptychography.importers import IMPORTERS

    return [importer() for importer in IMPORTERS]


@hookimpl
def provide_converters() -> "list[Converter]":
    from lightwell_ptychography.exporters import CONVERTERS

    return [converter() for converter in CONVERTERS]


@hookimpl
def provide_schemas() -> "list[type[Entry]]":
    from lightwell_ptychography.schema import Ptychography

    return [Ptychography]


@hookimpl
def provide_calibrations() -> "list[Calibration]":
    from lightwell_ptychography.calibrations import defocus, positions

    return [positions, defocus]


@hookimpl
def provide_steps() -> "list[Step]":
    from lightwell_ptychography import steps

    return [getattr(steps, name) for name in steps.__all__]


@hookimpl
def provide_recipes() -> "list[Recipe[Any, Any]]":
    from lightwell_ptychography import recipes

    return [getattr(recipes, name) for name in recipes.__all__]


@hookimpl
def provide_previews() -> "list[Preview]":
    from lightwell_ptychography.previews import PREVIEWS

    return list(PREVIEWS)


@hookimpl
def provide_simulators() -> "list[Simulator]":
    from lightwell_ptychography.simulate import ptychography

    return [ptychography]
