"""Tables on disk: what a step's `plan` made for one geometry is made once, and mapped after that.

Mapped files are shared by all workers, so tables of hundreds of megabytes count once.
"""

import hashlib
import io
import os
import pickle
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightwell.engines.sources import ShapeOnly
from lightwell.failpoints import failpoint
from lightwell.products import Product

__all__ = ["TableCache", "on_device"]

LEAST = 1 << 20
"""Smaller arrays are pickled with the rest."""

MOST_BYTES = 2 << 30
"""Of the plans that are kept; those of a large scan take hundreds of megabytes."""

_PACKAGES = ("lightwell_numerics",)
"""Beside the step's own package: what kernels may build their tables with."""


class TableCache:
    """Plans by a digest of all that they are made from: code, shapes, untiled arrays, values."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            _sweep(folder)

    def get(
        self, step: Any, like: Product, values: Mapping[str, Any], make: Callable[[], Any]
    ) -> Any:
        """The plan from the cache, or made and put there."""
        if self.folder is None or step.plan is None:
            return make()
        key = _key(step, like, values)
        found = self._load(self.folder / key)
        if found is None:
            found = make()
            self._store(self.folder / key, found)
            # The mapped one, so that this process holds no copy of its own.
            found = self._load(self.folder / key) or (found,)
            return found[0]
        return found[0]

    def _load(self, folder: Path) -> tuple[Any] | None:
        try:
            content = (folder / "tree.pickle").read_bytes()
            found = _Unpickler(content, folder).load()
            # Used just now: whoever clears the cache takes the oldest first.
            os.utime(folder)
        except Exception:
            # Whatever is wrong with a cache, the plan can be made anew.
            return None
        return (found,)

    def _store(self, folder: Path, plan: Any) -> None:
        part = folder.with_name(f"{folder.name}.{platform.node()}.{os.getpid()}.part")
        try:
            part.mkdir(parents=True)
            pickler = _Pickler(part)
            pickler.dump(plan)
            (part / "tree.pickle").write_bytes(pickler.content.getvalue())
            failpoint("tables-written")
            part.rename(folder)
            _prune(folder.parent, keep=folder)
        except Exception:
            # No room, no right to write, somebody else was first, a plan that is no data.
            shutil.rmtree(part, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left half written."""
    for part in folder.glob(f"*.{platform.node()}.*.part"):
        try:
            os.kill(int(part.name.split(".")[-2]), 0)
        except ProcessLookupError:
            shutil.rmtree(part, ignore_errors=True)
        except (ValueError, PermissionError):
            continue


def _prune(folder: Path, keep: Path) -> None:
    """Forget the plans that were not used for longest; who has one mapped keeps it."""
    found = []
    for each in folder.iterdir():
        if each.suffix != ".part" and each != keep:
            size = sum(file.stat().st_size for file in each.iterdir())
            found.append((each.stat().st_mtime, size, each))
    room = MOST_BYTES - sum(file.stat().st_size for file in keep.iterdir())
    for _, size, each in sorted(found, reverse=True):
        room -= size
        if room < 0:
            shutil.rmtree(each, ignore_errors=True)


class _Pickler(pickle.Pickler):
    """Puts large arrays into files of their own, which can be mapped."""

    def __init__(self, folder: Path) -> None:
        self.content = io.BytesIO()
        super().__init__(self.content, protocol=5)
        self._folder = folder
        self._count = 0

    def persistent_id(self, obj: Any) -> str | None:
        import numpy as np

        if not isinstance(obj, np.ndarray) or obj.nbytes < LEAST or obj.dtype.hasobject:
            return None
        name = f"{self._count}.npy"
        self._count += 1
        np.save(self._folder / name, np.ascontiguousarray(obj))
        return name


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, folder: Path) -> None:
        super().__init__(io.BytesIO(content))
        self._folder = folder

    def persistent_load(self, pid: Any) -> Any:
        import numpy as np

        return np.load(self._folder / str(pid), mmap_mode="r", allow_pickle=False)


def _key(step: Any, like: Product, values: Mapping[str, Any]) -> str:
    import numpy as np

    digest = hashlib.sha256()
    chosen = {name: values[name] for name in sorted(step.plan_parameters)}
    digest.update(f"{step.reference} {chosen!r} {np.__version__}".encode())
    for name, array in like.arrays().items():
        digest.update(f"{name} {tuple(array.shape)} {array.dtype}".encode())
        if not isinstance(array, ShapeOnly):
            digest.update(np.ascontiguousarray(array).tobytes())
    own = step.plan.__module__.partition(".")[0]
    for package in (own, *_PACKAGES):
        digest.update(_code(package).encode())
    return digest.hexdigest()[:40]


_codes: dict[str, str] = {}


def _code(package: str) -> str:
    """A digest of the source of a package; plans of an older one are of no use."""
    if package not in _codes:
        module = sys.modules.get(package)
        file = getattr(module, "__file__", None)
        digest = hashlib.sha256()
        if file is not None:
            path = Path(file)
            files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
            for each in files:
                digest.update(each.read_bytes())
        _codes[package] = digest.hexdigest()
    return _codes[package]


def on_device(plan: Any) -> Any:
    """The plan with its arrays where compiled steps want them, without a copy where possible.

    They are not changed after this: JAX may use the memory they are in.
    """
    import jax

    def put(leaf: Any) -> Any:
        if not hasattr(leaf, "shape"):
            return leaf
        return jax.device_put(leaf, may_alias=True)

    return jax.tree_util.tree_map(put, plan)
