"""Small scans as instruments write them, and how a described one is read back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lightwell import Described, File, Importer
from lightwell.manifests import build_manifest
from lightwell.stacks import open_array
from lightwell_tomography.importers import (
    Als832,
    Als832Present,
    BlissTomography,
    DataExchange,
    NXtomo,
    TiffFolder,
    Xradia,
)
from lightwell_tomography.products import Scan

COUNT, ROWS, WIDTH = 9, 2, 5


class Scans:
    """Writes scans below a folder and reads what importers say about them.

    Every pixel of projection i is 100 + i, of flat i 1000 + i, of dark i 1 + i.
    """

    importers = (
        Als832(),
        Als832Present(),
        BlissTomography(),
        DataExchange(),
        NXtomo(),
        TiffFolder(),
        Xradia(),
    )
    count = COUNT
    theta = np.linspace(0, 180, COUNT)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stack(self, count: int, first: float, dtype: str = "uint16") -> Any:
        numbers = first + np.arange(count)
        return np.broadcast_to(numbers[:, None, None], (count, ROWS, WIDTH)).astype(dtype)

    def write(self, name: str, values: Mapping[str, Any]) -> Path:
        """Write by path: a value, (value, unit), a link, or `path@name` for an attribute."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            for where, given in values.items():
                place, _, attribute = where.partition("@")
                if attribute:
                    file.require_group(place or "/").attrs[attribute] = given
                    continue
                value, unit = given if isinstance(given, tuple) else (given, None)
                file[place] = value
                if unit is not None:
                    file[place].attrs["units"] = unit
        return path

    def dx(self, name: str = "dx.h5", more: Mapping[str, Any] | None = None, **arrays: Any) -> Path:
        """Write a Data Exchange scan; None leaves an array out."""
        values = {
            "data": self.stack(COUNT, 100),
            "data_white": self.stack(4, 1000),
            "data_dark": self.stack(2, 1),
            "theta": (self.theta, "degrees"),
            **arrays,
        }
        found = {f"/exchange/{n}": v for n, v in values.items() if v is not None}
        return self.write(name, {**found, **(more or {})})

    def nxtomo_values(
        self, changes: Mapping[str, Any] | None = None, entry: str = "/entry"
    ) -> dict[str, Any]:
        """An NXtomo scan: 2 darks, 2 flats, 9 projections, 2 flats; None leaves a field out."""
        blocks = ((2, 1), (2, 1000), (COUNT, 100), (2, 1002))
        angles = np.concatenate([[0.0] * 4, self.theta, [180.0] * 2])
        values = {
            "definition": "NXtomo",
            "instrument/detector/data": np.concatenate([self.stack(*b) for b in blocks]),
            "instrument/detector/image_key": np.array([2, 2, 1, 1, *[0] * COUNT, 1, 1]),
            "sample/rotation_angle": (angles, "degree"),
            **(changes or {}),
        }
        classes = {
            "": "NXentry",
            "/instrument": "NXinstrument",
            "/instrument/detector": "NXdetector",
            "/sample": "NXsample",
        }
        marks = {f"{entry}{group}@NX_class": name for group, name in classes.items()}
        return {**{f"{entry}/{n}": v for n, v in values.items() if v is not None}, **marks}

    def nxtomo(self, changes: Mapping[str, Any] | None = None, name: str = "nx.nxs") -> Path:
        return self.write(name, self.nxtomo_values(changes))

    def claiming(self, path: Path) -> list[str]:
        return [importer.name for importer in self.importers if importer.claims(File(path))]

    def describe(self, path: Path, **options: Any) -> list[Described]:
        """What the one importer that claims a path says about it."""
        [name] = self.claiming(path)
        importer: Importer = next(i for i in self.importers if i.name == name)
        return list(importer.describe(File(path), **importer.checked(options)))

    def arrays(self, described: Described) -> dict[str, Any]:
        """All arrays of the scan, by way of a manifest with digests."""
        members = [(p.file.relative_to(described.root), p.role) for p in described.parts]
        manifest = build_manifest(described.root, members)
        assert all(file.sha256 for file in manifest.files)
        lazy = Scan.load(described.entry, lambda ref: open_array(ref, manifest))
        return {name: array.read() for name, array in lazy.items()}

    def files(self, described: Described) -> list[str]:
        return [part.file.relative_to(described.root) for part in described.parts]

    def codes(self, described: Described) -> list[str]:
        return [flag.code for flag in described.entry.flags]


@pytest.fixture
def scans(tmp_path: Path) -> Scans:
    return Scans(tmp_path)
