"""Ten lines in a notebook, and what may stand around them."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import lightwell
from lightwell import where
from lightwell.errors import Interrupted

pytestmark = pytest.mark.slow
SIZES = {"width": 48, "rows": 4, "angles": 60}


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return lightwell.open().simulate("tomography", tmp_path / "scan.h5", **SIZES).path


def test_the_example(scan: Path) -> None:
    als = lightwell.open()  # a session for the present user; services pass user=…
    [raw] = als.ingest(scan)
    bright = where("sample").contains("logan") & (where("energy") > "15 keV")
    for dataset in als.find(bright):
        assert dataset.pid == raw.pid
        assert dataset.entry.title == "simulated Shepp-Logan head"
    volume = als.run("tomography.gridrec", raw, rotation_axis="auto", filter="hann").result()
    middle = als.array(volume).read((slice(2, 3),))
    assert middle.shape == (1, 48, 48)
    assert volume.derived_from == (raw.pid,)
    assert als.replay(volume.pid).verdict == "equal"


def test_what_it_wrote_opens_with_h5py_beside_it(scan: Path) -> None:
    als = lightwell.open()
    [raw] = als.ingest(scan)
    with h5py.File(scan) as file:
        assert file["entry/instrument/detector/data"].shape[1:] == (4, 48)
    result = als.run("tomography.gridrec", raw, rotation_axis=23.5).result()
    with h5py.File(result.path) as file:
        stored = file["entry/data/data"][()]
    np.testing.assert_array_equal(als.array(result).read(), stored)


def test_done_before_is_not_done_again(scan: Path) -> None:
    als = lightwell.open()
    [raw] = als.ingest(scan)
    events: list[str] = []
    first = als.run("tomography.gridrec", raw, on_event=lambda e: events.append(e["event"]))
    assert first.result().pid
    assert events
    events.clear()
    again = als.run("tomography.gridrec", raw, on_event=lambda e: events.append(e["event"]))
    assert again.result().pid == first.result().pid
    assert events == []


def test_a_stopped_job_says_so_and_goes_on(scan: Path) -> None:
    als = lightwell.open()
    [raw] = als.ingest(scan)
    job = als.run("tomography.gridrec", raw)
    job.stop()
    with pytest.raises(Interrupted):
        job.result()
    assert als.run("tomography.gridrec", raw).result().kind == "derived"


def test_users_see_what_is_theirs(scan: Path) -> None:
    [raw] = lightwell.open().ingest(scan)
    assert [d.pid for d in lightwell.open().find()] == [raw.pid]
    assert list(lightwell.open(user="somebody-else").find()) == []
