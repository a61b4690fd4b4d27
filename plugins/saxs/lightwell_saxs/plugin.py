"""What scattering adds to lightwell; everything heavy is imported when it is asked for."""

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
    from lightwell_saxs.importers import IMPORTERS

    return [importer() for importer in IMPORTERS]


@hookimpl
def provide_converters() -> "list[Converter]":
    from lightwell_saxs.exporters import CONVERTERS

    return [converter() for converter in CONVERTERS]


@hookimpl
def provide_schemas() -> "list[type[Entry]]":
    from lightwell_saxs.schema import Azint1d, Azint2d, ReducedScattering, Scattering

    return [Scattering, ReducedScattering, Azint1d, Azint2d]


@hookimpl
def provide_steps() -> "list[Step]":
    from lightwell_saxs import grazing_steps, steps
    from lightwell_saxs.analysis import STEPS

    frames = [getattr(steps, name) for name in steps.__all__]
    grazing = [getattr(grazing_steps, name) for name in grazing_steps.__all__]
    return [*frames, *grazing, *STEPS]


@hookimpl
def provide_recipes() -> "list[Recipe[Any, Any]]":
    from lightwell_saxs import recipes

    return [getattr(recipes, name) for name in recipes.__all__]


@hookimpl
def provide_previews() -> "list[Preview]":
    from lightwell_saxs.previews import PREVIEWS

    return list(PREVIEWS)


@hookimpl
def provide_simulators() -> "list[Simulator]":
    from lightwell_saxs.simulate import scattering

    return [scattering]


@hookimpl
def provide_calibrations() -> "list[Calibration]":
    from lightwell_saxs.calibrations import powder

    return [powder]
