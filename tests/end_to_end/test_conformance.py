"""Our own plugins keep what the shipped kit asks of everybody's, and the kit sees a breach."""

import itertools
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lightwell
from lightwell import Described, Entry, File, Importer, Part, hookimpl
from lightwell.errors import PluginError
from lightwell.plugins import GROUP
from lightwell.testing import check_importer, check_plugin
from lightwell_tomography.importers import DataExchange, NXtomo, TiffFolder
from lightwell_tomography.schema import Tomography

DEGREES = {"first_angle": 0.0, "last_angle": 180.0}


@pytest.mark.parametrize("module", sorted(p.value for p in entry_points(group=GROUP)))
def test_an_installed_plugin(module: str) -> None:
    check_plugin(import_module(module))


@pytest.mark.parametrize(
    ("importer", "path", "options"),
    [
        (DataExchange(), "aps_tooth.h5", {}),
        (NXtomo(), "diamond_k11/k11-18014.nxs", {}),
        (TiffFolder(), "diamond_tiff_stack", DEGREES),
    ],
    ids=lambda value: value.name if isinstance(value, Importer) else None,
)
def test_an_importer_on_a_real_scan(
    shared_data: Path, importer: Importer, path: str, options: dict[str, float]
) -> None:
    check_importer(importer, shared_data / "tomography" / path, Tomography, **options)


def test_an_importer_on_a_simulated_scan(tmp_path: Path) -> None:
    sizes = {"width": 32, "rows": 2, "angles": 16}
    lightwell.open().simulate("tomography", tmp_path / "scan.h5", **sizes)
    entry = check_importer(NXtomo(), tmp_path / "scan.h5", Tomography)
    assert entry.canonical()["energy"] == 20000.0


class Careless(Importer):
    """Does what each of the tests below forbids, one thing at a time."""

    name = "careless"

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.count = itertools.count()

    def claims(self, file: File) -> bool:
        return self.fault == "greedy" or (self.fault != "shy" and file.name == "scan.dat")

    def describe(self, file: File, /) -> Iterator[Described]:
        facts: dict[str, Any] = {"title": file.name}
        if self.fault == "restless":
            facts["title"] = str(next(self.count))
        if self.fault == "blind":
            facts["data"] = {"data": _data("gone.h5")}
        part = Part(file, "master")
        if self.fault != "empty":
            yield Described(Entry(**facts), file.parent, [part])
        if self.fault == "repeating":
            yield Described(Entry(**facts), file.parent, [part])


def _data(name: str) -> lightwell.model.Data:
    ref = lightwell.ArrayRef.hdf5(name, "/data", (3,), "float64")
    return lightwell.model.Data(signal="y", fields={"y": ref})


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("shy", "does not claim"),
        ("greedy", "which is no scan"),
        ("empty", "finds no entry"),
        ("restless", "otherwise the second time"),
        ("repeating", "two entries one name"),
    ],
)
def test_the_kit_sees_a_careless_importer(tmp_path: Path, fault: str, said: str) -> None:
    (tmp_path / "scan.dat").write_text("1 2 3")
    with pytest.raises(AssertionError, match=said):
        check_importer(Careless(fault), tmp_path / "scan.dat")


def test_the_kit_sees_an_array_outside_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "scan.dat").write_text("1 2 3")
    with pytest.raises(lightwell.LightwellError, match=r"gone\.h5"):
        check_importer(Careless("blind"), tmp_path / "scan.dat")


def module_of(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return import_module(name)


def test_the_kit_sees_a_heavy_hook_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import numpy\nlightwell_api = 1\n"
    module = module_of(tmp_path, "heavy_plugin", text, monkeypatch)
    with pytest.raises(AssertionError, match="loads numpy"):
        check_plugin(module)


def test_the_kit_loads_strictly() -> None:
    module = ModuleType("speechless")
    with pytest.raises(PluginError, match="does not say which version"):
        check_plugin(module)


def test_the_kit_collects_strictly() -> None:
    module = ModuleType("confused")
    vars(module).update(lightwell_api=1, provide_recipes=hookimpl(provide_recipes))
    with pytest.raises(PluginError, match="which is no Recipe"):
        check_plugin(module)


def provide_recipes() -> list[Any]:
    return ["tomography.gridrec"]
