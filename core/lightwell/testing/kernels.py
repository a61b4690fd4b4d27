"""Kernels are arithmetic: pure, without state or input and output, and jittable.

Kernels stand in the module or package `kernels` beside the plugin's hook module; that is where
their source is judged. What they do is judged through the steps that call them, on a simulated
scan, since a step knows of which shape and type its arrays are.
"""

import ast
import importlib
import importlib.util
import pickle
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from lightwell.steps import MapStep

__all__ = ["check_kernel_sources", "check_pure", "kernel_modules"]

_FORBIDDEN: Final = frozenset(
    {
        *("fsspec", "h5py", "io", "json", "lightwell", "logging", "os", "pathlib", "pickle", "PIL"),
        *("pint", "pydantic", "random", "requests", "rich", "secrets", "shutil", "socket"),
        *("sqlite3", "subprocess", "sys", "tempfile", "threading", "tifffile", "time", "typer"),
        "urllib",
    }
)
"""What no arithmetic needs: files, the clock, chance without a key, the model."""

_CALLS: Final = frozenset({"eval", "exec", "globals", "input", "open", "print", "setattr"})


def kernel_modules(plugin: ModuleType) -> list[ModuleType]:
    """The module `kernels` beside a hook module, with all that is in it; empty if there is none."""
    package = plugin.__name__.rpartition(".")[0]
    name = f"{package}.kernels" if package else "kernels"
    if not package or importlib.util.find_spec(name) is None:
        return []
    top = importlib.import_module(name)
    inner = pkgutil.walk_packages(getattr(top, "__path__", ()), f"{name}.")
    return [top, *(importlib.import_module(found.name) for found in inner)]


def check_kernel_sources(modules: list[ModuleType]) -> str:
    """Read the source of kernels for what makes a function impure.

    Errors: AssertionError naming file and line.
    """
    count = 0
    for module in modules:
        path = Path(str(module.__file__))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, what in _impurities(tree):
            raise AssertionError(f"{path.name}, line {line}: a kernel {what}.")
        count += sum(isinstance(node, ast.FunctionDef) for node in tree.body)
    return f"{count} functions in {len(modules)} modules"


def _impurities(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            yield node.lineno, f"changes {', '.join(node.names)}, which is not its own"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for name in _imported(node):
                if name.partition(".")[0] in _FORBIDDEN:
                    yield node.lineno, f"imports {name}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in _CALLS:
                yield node.lineno, f"calls {called}"
            elif _without_seed(called, node):
                yield node.lineno, f"takes chance without a seed from {called}"


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [name.name for name in node.names]


def _without_seed(called: str, call: ast.Call) -> bool:
    """Whether numpy's own state is drawn from; jax.random takes a key, a generator its seed."""
    words = called.split("(")[0].split(".")
    if words[0] not in ("np", "numpy") or words[1:2] != ["random"]:
        return False
    return "(" not in called and not (words[-1] in ("default_rng", "Generator") and call.args)


def check_pure(
    step: "MapStep[Any, Any, Any]",
    product: Any,
    values: Mapping[str, Any],
    modules: list[ModuleType],
) -> Any:
    """Run a map step twice on the same arrays, which nobody may write to; give what it gave.

    Its plan and its result are the same bits again, its input and what its kernels' modules hold
    are what they were, and unless it works on the host it can be compiled.
    Errors: AssertionError in a sentence.
    """
    import jax
    import numpy as np

    arrays = {name: np.array(array) for name, array in product.arrays().items()}
    for array in arrays.values():
        array.setflags(write=False)
    shut = type(product)(**arrays)
    before, state = _bits(arrays), _state(modules)
    given = step.complete(values)
    plans = [_bits(jax.tree_util.tree_leaves(step.make_plan(shut, given))) for _ in range(2)]
    if plans[0] != plans[1]:
        raise AssertionError(f"{step.name}: its plan is another one the second time.")
    if not step.host:
        _check_compiles(step, shut, given)
    try:
        results = [step(shut, **values) for _ in range(2)]
    except ValueError as error:
        if "read-only" in str(error) or "WRITEABLE" in str(error):
            raise AssertionError(f"{step.name} writes to its input ({error}).") from error
        raise
    if _bits(results[0].arrays()) != _bits(results[1].arrays()):
        raise AssertionError(f"{step.name} gives another result for the same input.")
    if _bits(arrays) != before:
        raise AssertionError(f"{step.name} changes its input.")
    if _state(modules) != state:
        raise AssertionError(f"{step.name} leaves something behind in a kernel's module.")
    return results[0]


def _check_compiles(step: Any, product: Any, values: Mapping[str, Any]) -> None:
    from lightwell.steps.calls import compiled_map

    function, arguments = compiled_map(step, product, None, step.make_plan(product, values), values)
    try:
        function.lower(*arguments)
    except Exception as error:
        raise AssertionError(
            f"{step.name} cannot be compiled ({type(error).__name__}: {error})."
        ) from error


def _bits(arrays: Any) -> list[bytes]:
    import numpy as np

    found = arrays.values() if isinstance(arrays, Mapping) else arrays
    return [np.asarray(array).tobytes() for array in found]


def _state(modules: list[ModuleType]) -> dict[str, bytes]:
    """What modules hold besides functions, classes and other modules."""
    found = {}
    for module in modules:
        for name, value in vars(module).items():
            if name.startswith("__") or callable(value) or isinstance(value, ModuleType):
                continue
            try:
                found[f"{module.__name__}.{name}"] = pickle.dumps(value)
            except Exception:
                # What cannot be pickled is at least the same object.
                found[f"{module.__name__}.{name}"] = str(id(value)).encode()
    return found
