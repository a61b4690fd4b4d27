"""lightwell: from a detector's files to a catalogued, archived, reconstructed result.

The names most people need, each loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightwell.catalog.query import where
    from lightwell.errors import LightwellError
    from lightwell.files import File
    from lightwell.hooks import hookimpl
    from lightwell.importers import Described, Importer, Part, opened_hdf5
    from lightwell.model import (
        ArrayRef,
        Detector,
        Entry,
        Instrument,
        Sample,
    )
    from lightwell.parameters import Default, Extent, From, Position
    from lightwell.previews import Preview
    from lightwell.products import Array, Dims, Product
    from lightwell.recipes import Recipe
    from lightwell.session import Session, open
    from lightwell.simulators import Simulated, Simulator
    from lightwell.steps import (
        Estimate,
        Fold,
        Input,
        Iteration,
        State,
        TiledIteration,
        estimate_step,
        fold_step,
        iterate_step,
        map_step,
    )
    from lightwell.units import Unit

_HOMES = {
    "catalog.query": "where",
    "errors": "LightwellError",
    "files": "File",
    "hooks": "hookimpl",
    "importers": "Described Importer Part opened_hdf5",
    "model": "ArrayRef Detector Entry Instrument Sample",
    "parameters": "Default Extent From Position",
    "previews": "Preview",
    "products": "Array Dims Product",
    "recipes": "Recipe",
    "session": "Session open",
    "simulators": "Simulated Simulator",
    "steps": "Estimate Fold Input Iteration State TiledIteration "
    "estimate_step fold_step iterate_step map_step",
    "units": "Unit",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Array",
    "ArrayRef",
    "Default",
    "Described",
    "Detector",
    "Dims",
    "Entry",
    "Estimate",
    "Extent",
    "File",
    "Fold",
    "From",
    "Importer",
    "Input",
    "Instrument",
    "Iteration",
    "LightwellError",
    "Part",
    "Position",
    "Preview",
    "Product",
    "Recipe",
    "Sample",
    "Session",
    "Simulated",
    "Simulator",
    "State",
    "TiledIteration",
    "Unit",
    "estimate_step",
    "fold_step",
    "hookimpl",
    "iterate_step",
    "map_step",
    "open",
    "opened_hdf5",
    "where",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lightwell' has no attribute {name!r}")
    return getattr(import_module(f"lightwell.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
