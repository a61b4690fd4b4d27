"""What every plugin has to keep, looked at without any data."""

import json
import pickle
import re
import subprocess
import sys
from types import ModuleType
from typing import Any

from lightwell.plugins import Plugins

__all__ = ["check_plugin"]

_HEAVY = ("dask", "h5py", "jax", "numba", "numpy", "pymongo", "scipy", "tifffile")
_RECIPE_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


def check_plugin(module: ModuleType) -> Plugins:
    """Look whether a plugin keeps its promises; give the set of plugins that holds it alone.

    The module speaks this version of the hooks and imports nothing heavy; everything it provides
    is of its kind and has a name of its own; recipes have a form, fit into a result's record and
    reach a worker; pictures and simulators name what there is.
    Errors: PluginError where it does not load; AssertionError in a sentence.
    """
    plugins = Plugins([module], discover=False, strict=True)
    for definition in plugins.schemas:
        _require(definition is not None, f"a schema of {module.__name__} has no definition")
    for recipe in plugins.recipes.values():
        _check_recipe(recipe, plugins)
    for step in plugins.steps.values():
        _check_step(step)
    for preview in plugins.previews:
        axes = preview.of.axes()
        known = preview.along in axes
        _require(known, f"preview {preview.name} cuts along '{preview.along}', not one of {axes}")
    for simulator in plugins.simulators.values():
        recipe = simulator.recipe
        known = recipe is None or recipe in plugins.recipes
        _require(known, f"simulator {simulator.name} names {recipe}, no recipe of this plugin")
    for importer in plugins.importers.values():
        for option in importer.options.values():
            json.dumps(option.json_schema())
    _check_lightness(module.__name__)
    return plugins


def _require(kept: bool, sentence: str) -> None:  # noqa: FBT001
    if not kept:
        raise AssertionError(f"{sentence}.")


def _check_lightness(module: str) -> None:
    """Import it where nothing else is: what this process has loaded proves nothing."""
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; import {module}; "
        f"print(*sorted({set(_HEAVY)!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    _require(done.returncode == 0, f"{module} cannot be imported alone: {done.stderr.strip()}")
    loaded = ", ".join(done.stdout.split())
    _require(not loaded, f"importing {module} loads {loaded}; import inside the hooks instead")


def _check_recipe(recipe: Any, plugins: Plugins) -> None:
    title = f"recipe {recipe.name}"
    named = _RECIPE_NAME.fullmatch(recipe.name) is not None
    _require(named, f"{title} is not named technique.what, in small letters")
    json.dumps(recipe.json_schema(), allow_nan=False)
    json.dumps(recipe.to_json(), allow_nan=False)
    digest = recipe.digest()
    again = pickle.loads(pickle.dumps(recipe))  # noqa: S301  (our own, a moment ago)
    _require(again.digest() == digest, f"{title} is another one in a worker process")
    for step in recipe.steps():
        _check_step(step)
    definition = getattr(recipe.gives, "result_definition", None)
    known = definition is None or definition in plugins.schemas
    _require(known, f"{title} gives a {definition}, for which this plugin has no schema")


def _check_step(step: Any) -> None:
    for parameter in step.parameters.values():
        json.dumps(parameter.json_schema(), allow_nan=False)
    again = pickle.loads(pickle.dumps(step))  # noqa: S301  (our own, a moment ago)
    _require(again.reference == step.reference, f"step {step.reference} is lost on the way")
