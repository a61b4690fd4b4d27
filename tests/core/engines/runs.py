"""Run a recipe of the tests without a catalog: data from random numbers, a folder, an engine."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import chains
import h5py
import numpy as np
import stranger_chains

from lightwell.engines import JobSpec, Outcome, Source
from lightwell.engines.local import LocalEngine
from lightwell.hdf5 import Hdf5Array
from lightwell.recipes import Recipe
from lightwell.stacks import ArrayInMemory

GB = 1 << 30


def recipe_of(name: str) -> Recipe[Any, Any]:
    found: Recipe[Any, Any] = getattr(chains, name, None) or getattr(stranger_chains, name)
    return found


def scan(rows: int = 22, angles: int = 6, width: int = 32) -> Source:
    random = np.random.default_rng(1)
    frames = random.random((angles, rows, width), np.float32) + 1
    gain = random.random((rows, width), np.float32) + 1
    return in_memory(chains.Scan, frames=frames, gain=gain, angles=np.linspace(0, 180, angles))


def dark(rows: int = 22, angles: int = 5, width: int = 32) -> Source:
    random = np.random.default_rng(2)
    line = random.random((angles, rows, width), np.float32)
    return in_memory(chains.Sinograms, line=line, angles=np.linspace(0, 180, angles))


def slices(rows: int = 9, width: int = 16) -> Source:
    random = np.random.default_rng(3)
    return in_memory(chains.Volume, data=random.random((rows, width, width), np.float32))


def frames(count: int = 12, width: int = 64) -> Source:
    random = np.random.default_rng(4)
    images = random.random((count, width, width), np.float32)
    return in_memory(stranger_chains.Frames, image=images)


def in_memory(product: Any, **arrays: np.ndarray) -> Source:
    return Source(product, {name: ArrayInMemory(array) for name, array in arrays.items()})


MAKERS: Mapping[Any, Callable[[], Source]] = {
    chains.Scan: scan,
    chains.Sinograms: dark,
    chains.Volume: slices,
    stranger_chains.Frames: frames,
}


def job(
    name: str,
    folder: Path,
    given: Mapping[str, Any] | None = None,
    sources: Mapping[str, Source] | None = None,
    memory: int = 4 * GB,
    workers: int = 1,
    **options: Any,
) -> JobSpec:
    recipe = recipe_of(name)
    settings = recipe.settings(given or {}, lambda _: None)
    made = {role: MAKERS[product]() for role, product in recipe.inputs().items()}
    return JobSpec(
        recipe, {**made, **(sources or {})}, settings, folder, memory, workers, **options
    )


def run(name: str, folder: Path, **options: Any) -> Outcome:
    return LocalEngine().run(job(name, folder, **options))


def arrays_of(outcome: Outcome, folder: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a result through the master that shows its segments."""
    from lightwell.engines.results import gather_arrays

    path = folder / "arrays.h5"
    refs = gather_arrays(outcome.output, path)
    return {name: Hdf5Array.find(path, name).read() for name in refs}


def leftovers(folder: Path) -> list[str]:
    """Half-written files anywhere below a folder."""
    return [os.fspath(path) for path in folder.rglob("*.part")]


def spoil_a_chunk(path: Path) -> None:
    """Change bytes in the middle of a compressed chunk; a single bit may mean the same numbers."""
    with h5py.File(path) as file:
        chunked = next(item for item in file.values() if item.chunks)
        place = chunked.id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    middle = place.byte_offset + place.size // 2
    for position in range(middle, middle + min(64, place.size // 2)):
        content[position] ^= 0xFF
    path.write_bytes(content)
