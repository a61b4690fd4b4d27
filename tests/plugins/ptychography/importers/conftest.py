from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightwell import Described, File, Importer
from lightwell.manifests import build_manifest
from lightwell.stacks import open_array
from lightwell_ptychography.products import Diffraction


@pytest.fixture
def ptychography_data(shared_data: Path) -> Path:
    """Real files of ptychography, with a README that says what is known of each."""
    return shared_data / "ptychography"


def read(found: Described) -> Diffraction:
    """A described scan as a recipe sees it."""
    listed = [(part.file.relative_to(found.root), part.role) for part in found.parts]
    manifest = build_manifest(found.root, listed)
    arrays = Diffraction.load(found.entry, lambda ref: open_array(ref, manifest))
    return Diffraction.of(**{name: array.read() for name, array in arrays.items()})


@pytest.fixture
def loaded() -> Callable[..., Diffraction]:
    def load(importer: Importer, path: Path, **options: Any) -> Diffraction:
        [found] = importer.describe(File(path), **options)
        return read(found)

    return load
