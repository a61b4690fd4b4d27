"""Simulated scans as recipes get them, and jobs on them without a catalog."""

from pathlib import Path
from typing import Any

import lightwell_ptychography.recipes as recipes
from lightwell import File
from lightwell.engines import JobSpec, Source
from lightwell.manifests import build_manifest
from lightwell.stacks import open_array
from lightwell_ptychography.importers import Cxi
from lightwell_ptychography.products import Diffraction
from lightwell_ptychography.simulate import ptychography

GB = 1 << 30


def simulated(path: Path, **values: Any) -> Source:
    """A scan of 49 frames of 32², as a file's arrays, unread."""
    if not path.exists():
        ptychography.run(path, {"frame": 32, "positions": 49, "step": 0.12, **values})
    [found] = Cxi().describe(File(path))
    listed = [(part.file.relative_to(found.root), part.role) for part in found.parts]
    manifest = build_manifest(found.root, listed)
    return Source(Diffraction, Diffraction.load(found.entry, lambda ref: open_array(ref, manifest)))


def whole(source: Source) -> Diffraction:
    return Diffraction.of(**{name: array.read() for name, array in source.arrays.items()})


def job(
    source: Source, folder: Path, name: str = "rpie", memory: int = 4 * GB, **given: Any
) -> JobSpec:
    options = {key: given.pop(key) for key in ("on_event",) if key in given}
    recipe = getattr(recipes, name)
    settings = recipe.settings(given, lambda _: None)
    return JobSpec(recipe, {"data": source}, settings, folder, memory, 1, **options)
