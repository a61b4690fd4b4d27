"""Checkpoints: the state of an iteration in a file that is either old or new, never half."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.errors import DamagedResult, PluginError
from lightwell.files import complete_file

__all__ = ["load_checkpoint", "save_checkpoint", "write_durably"]


def write_durably(path: Path, content: bytes) -> None:
    """Put content under its final name only when it is complete and on the disk."""
    with complete_file(path) as part:
        part.write_bytes(content)


def save_checkpoint(
    path: Path, state: Any, done: int, metrics: Mapping[str, Sequence[float]]
) -> None:
    """Store the state after `done` iterations together with the metrics so far."""
    import jax
    import numpy as np

    leaves = jax.tree_util.tree_leaves(state)
    # A state may change its types in the first iteration, so they are stored with it.
    types = [str(jax.numpy.asarray(leaf).dtype) for leaf in leaves]
    content = io.BytesIO()
    header = json.dumps({"done": done, "metrics": metrics, "types": types}).encode()
    np.savez(content, header=np.frombuffer(header, np.uint8), *map(_storable, leaves))  # noqa: B026
    write_durably(path, content.getvalue())


def load_checkpoint(path: Path, state: Any) -> tuple[Any, int, dict[str, list[float]]]:
    """The stored state with the number of iterations done, or the given start.

    Errors: DamagedResult where the file belongs to another state.
    """
    import jax
    import numpy as np

    if not path.exists():
        return state, 0, {}
    leaves, tree = jax.tree_util.tree_flatten(state)
    with np.load(path) as stored:
        header = json.loads(stored["header"].tobytes())
        found = [stored[f"arr_{i}"] for i in range(len(stored.files) - 1)]
    if [a.shape for a in found] != [np.shape(leaf) for leaf in leaves]:
        raise DamagedResult(
            "the checkpoint belongs to another calculation",
            where=str(path),
            remedy="delete it and run again from the start",
        )
    arrays = [
        # A copy: a calculation may be given the memory of its state.
        jax.numpy.array(array.view(jax.numpy.dtype(name)))
        for array, name in zip(found, header["types"], strict=True)
    ]
    return jax.tree_util.tree_unflatten(tree, arrays), header["done"], header["metrics"]


def _storable(leaf: Any) -> Any:
    """An array as NumPy can store it: types that only JAX knows (bfloat16) as plain bytes.

    Errors: PluginError for a random key, which cannot be stored and should not be in a state.
    """
    import numpy as np

    if "key<" in str(getattr(leaf, "dtype", "")):
        raise PluginError(
            "the state of an iteration holds a random key",
            remedy="make the key in update, from the seed and the iteration's number",
        )
    array = np.asarray(leaf)
    return array if array.dtype.isbuiltin == 1 else array.view(f"V{array.dtype.itemsize}")
