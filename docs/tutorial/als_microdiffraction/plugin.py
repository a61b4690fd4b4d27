"""What this package adds to lightwell; each hook imports its module when it is asked."""

from typing import TYPE_CHECKING, Any

from lightwell import hookimpl

if TYPE_CHECKING:
    from lightwell import Entry, Importer, Recipe

lightwell_api = 1


@hookimpl
def provide_importers() -> "list[Importer]":
    from als_microdiffraction.importer import Beamline1232

    return [Beamline1232()]


@hookimpl
def provide_schemas() -> "list[type[Entry]]":
    from als_microdiffraction.schema import DiffractionMap

    return [DiffractionMap]


@hookimpl
def provide_recipes() -> "list[Recipe[Any, Any]]":
    from als_microdiffraction.steps import rings

    return [rings]
