"""What tomography adds to lightwell; everything heavy is imported when it is asked for."""

from typing import TYPE_CHECKING, Any

from lightwell.hooks import hookimpl

if TYPE_CHECKING:
    from lightwell.conversion import Converter
    from lightwell.files import File
    from lightwell.importers import Importer
    from lightwell.model import Entry
    from lightwell.previews import Preview
    from lightwell.recipes import Recipe
    from lightwell.simulators import Simulator
    from lightwell.steps import Step

lightwell_api = 1


@hookimpl
def provide_importers() -> "list[Importer]":
    from lightwell_tomography.exporters import ConvertedScan
    from lightwell_tomography.importers import (
        Als832,
        Als832Present,
        BlissTomography,
        DataExchange,
        NXtomo,
        TiffFolder,
        Xradia,
    )

    return [
        Als832(),
        Als832Present(),
        BlissTomography(),
        DataExchange(),
        NXtomo(),
        TiffFolder(),
        Xradia(),
        ConvertedScan(),
    ]


@hookimpl
def provide_converters() -> "list[Converter]":
    from lightwell_tomography.exporters import ToDataExchange

    return [ToDataExchange()]


@hookimpl
def resolve_importer(file: "File", candidates: "list[Importer]") -> "Importer | None":
    from lightwell_tomography.exporters import ConvertedScan

    # What lightwell wrote as Data Exchange says everything; its stacks alone would say less.
    return next((one for one in candidates if isinstance(one, ConvertedScan)), None)


@hookimpl
def provide_schemas() -> "list[type[Entry]]":
    from lightwell_tomography.schema import Reconstruction, Tomography

    return [Tomography, Reconstruction]


@hookimpl
def provide_steps() -> "list[Step]":
    from lightwell_tomography import steps

    return [
        steps.normalise,
        steps.minus_log,
        steps.remove_stripes,
        steps.find_axis,
        steps.reconstruct,
    ]


@hookimpl
def provide_recipes() -> "list[Recipe[Any, Any]]":
    from lightwell_tomography.recipes import gridrec

    return [gridrec]


@hookimpl
def provide_previews() -> "list[Preview]":
    from lightwell_tomography.previews import PREVIEWS

    return list(PREVIEWS)


@hookimpl
def provide_simulators() -> "list[Simulator]":
    from lightwell_tomography.simulate import tomography

    return [tomography]
