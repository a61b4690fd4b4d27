"""The plugin keeps lightwell's promises, and its recipe finds what was put in."""

from pathlib import Path

import lightwell
import numpy as np
import pytest
from lightwell.testing import check_importer, check_plugin

from als_microdiffraction import plugin
from als_microdiffraction.importer import Beamline1232
from als_microdiffraction.schema import DiffractionMap
from example import CENTRE, RADII, write_map


def test_the_plugin() -> None:
    check_plugin(plugin)


def test_the_importer(tmp_path: Path) -> None:
    write_map(str(tmp_path / "map.h5"))
    entry = check_importer(Beamline1232(), tmp_path / "map.h5", DiffractionMap)
    assert entry.canonical()["energy"] == 12400.0
    assert entry.lookup("instrument.detector.beam_center_x") == CENTRE[0]


def test_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path / "home"))
    write_map(str(tmp_path / "map.h5"))
    als = lightwell.open(plugins=[plugin])
    [raw] = als.ingest(tmp_path / "map.h5")
    result = als.run("microdiffraction.rings", raw).result()
    profiles = als.array(result).read()
    assert profiles.shape == (24, 24)
    assert set(np.argsort(profiles.mean(axis=0))[-2:]) == set(RADII)
    assert result.job["estimates"]["background"]["value"] == pytest.approx(5.0, abs=1.0)
