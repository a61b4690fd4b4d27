"""The recipe as people and programs see it, and once from a file to a catalogued volume."""

from pathlib import Path

import pytest
from PIL import Image

import lightwell
from lightwell_tomography.importers import DataExchange, NXtomo
from lightwell_tomography.recipes import gridrec
from lightwell_tomography.simulate import relative_error


def test_the_schema_says_what_a_form_needs() -> None:
    properties = gridrec.json_schema()["properties"]
    assert set(properties) == {"floor", "window", "search", "rotation_axis", "filter", "mask"}
    axis = properties["rotation_axis"]
    assert axis["default"] == "auto"
    assert axis["estimated_by"] == "find_axis"
    assert axis["anyOf"] == [{"type": "number", "unit": "pixel"}, {"const": "auto"}]
    assert properties["search"]["unit"] == "pixel"
    assert properties["filter"]["enum"] == ["ramlak", "hann"]
    assert properties["mask"] == {**properties["mask"], "type": "boolean", "default": True}


def test_the_recipe_takes_one_scan_under_its_name() -> None:
    assert gridrec.name == "tomography.gridrec"
    assert [product.__name__ for product in gridrec.inputs().values()] == ["Scan"]


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_a_simulated_scan_becomes_a_catalogued_volume(tmp_path: Path) -> None:
    session = lightwell.open()
    given = {"width": 128, "rows": 4, "angles": 193, "rotation_axis": 67.4}
    simulated = session.simulate("tomography", tmp_path / "scan.h5", **given)
    [raw] = session.ingest(simulated.path)
    assert raw.importer == "nxtomo"
    result = session.run("tomography.gridrec", raw).result()
    assert result.definition == "NXtomoproc"
    assert result.derived_from == (raw.pid,)
    for importer in (DataExchange(), NXtomo()):
        assert not importer.claims(lightwell.File(result.path))
    assert relative_error(session.array(result), simulated.truth) < 0.14
    assert session.array(result).shape == (4, 128, 128)
    data = result.entry.data["data"]
    assert tuple(data.axes) == ("z", "y", "x")
    assert data.fields["z"].unit == "m"
    pictures = [Path(path) for path in session.report(result)["previews"]]
    assert [path.stem for path in pictures] == [
        f"preview_{name}" for name in ("raw", "norm", "sino", "rec")
    ]
    assert [_size(path) for path in pictures] == [(256, 64), (256, 64), (256, 386), (256, 256)]
    found = result.job["estimates"]["rotation_axis"]["value"] if result.job else None
    assert found == pytest.approx(67.4, abs=0.1)
