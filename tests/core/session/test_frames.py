"""Frames found by what was measured with them, given to a recipe, and seen by who may see them."""

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import h5py
import numpy as np
import pytest

import lightwell
from lightwell import Session, where
from lightwell.engines.sources import Source
from lightwell.errors import NotFound, ParameterError, UnitError, UnknownName
from lightwell.frame_index import FrameRuns
from lightwell.hdf5 import release
from lightwell.model import ArrayRef
from lightwell.testing.failpoints import killed_at, passages
from lightwell_tomography.simulate import relative_error

NewHome = Callable[[Path], AbstractContextManager[Session]]
Follow = Callable[[str], None]

PARAMETERS = {"width": 48, "rows": 2, "angles": 121, "rotation_axis": 23.5}


def write_scan(session: Session, path: Path, *, lost: bool = False) -> dict[str, float]:
    """A simulated scan with ring current, positions and a monitor; `lost`: beam is, at times."""
    truth = session.simulate("tomography", path, **PARAMETERS).truth
    with h5py.File(path, "r+") as file:
        entry = file["entry"]
        key = entry["instrument/detector/image_key"][()]
        current = np.linspace(0.4, 0.38, len(key))
        if lost:
            dark = np.flatnonzero(key == 0)[3::5]
            current[dark] = 0.1
            for frame in dark:
                entry["instrument/detector/data"][frame] //= 10
        monitor = entry.create_group("control")
        monitor.attrs["NX_class"] = "NXmonitor"
        for name, values, unit in [
            ("instrument/source/current", current, "A"),
            ("sample/x_translation", np.linspace(0, 10_000, len(key)), "um"),
            ("control/data", np.where(key == 2, np.nan, 1e4 * current), "counts"),
        ]:
            entry[name] = values
            entry[name].attrs["units"] = unit
    return dict(truth)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, new_home: NewHome) -> Path:
    """A home with two scans, in one of which the beam was lost; tests work on a copy."""
    folder = tmp_path_factory.mktemp("made")
    with new_home(folder) as session:
        write_scan(session, folder / "good.nxs")
        write_scan(session, folder / "lost.nxs", lost=True)
        session.ingest(folder / "good.nxs")
        session.ingest(folder / "lost.nxs")
    return folder


def pid_of(session: Session, name: str) -> str:
    return next(d.pid for d in session.find() if d.path.endswith(f"{name}.nxs"))


def codes(session: Session) -> list[str]:
    return [finding.code for finding in session.fsck().findings]


def test_a_scan_is_indexed_when_it_is_ingested(als: Session) -> None:
    dataset = als.get(pid_of(als, "lost"))
    assert dataset.frames["count"] == 201
    channels = dataset.frames["channels"]
    assert set(channels) == {"control", "image_key", "ring_current", "rotation_angle", "sample_x"}
    # The catalog speaks of ampere and metre, as everywhere.
    assert channels["ring_current"]["unit"] == "A"
    assert channels["ring_current"]["min"] == pytest.approx(0.1)
    assert channels["sample_x"]["max"] == pytest.approx(0.01)
    assert channels["control"]["count"] == 181
    found = als.find(where("frames.channels.ring_current.min") < 0.2)
    assert [d.pid for d in found] == [dataset.pid]


def test_frames_of_several_scans(als: Session) -> None:
    # The numbers are those of mA and mm, in which the channels are kept.
    found = als.frames("ring_current < 390 and sample_x in [3, 4]")
    with h5py.File(als.get(pid_of(als, "lost")).path) as file:
        current = file["entry/instrument/source/current"][()]
        x = file["entry/sample/x_translation"][()]
    expected = np.flatnonzero((current < 0.39) & (x >= 3000) & (x <= 4000))
    assert 0 < len(expected) < 10
    assert [(pid, runs.frames().tolist()) for pid, runs in found] == [
        (pid_of(als, "lost"), expected.tolist())
    ]
    in_units = als.frames((where("ring_current") < "0.39 A") & (where("sample_x") >= "3000 um")
                          & (where("sample_x") <= "0.4 cm"))  # fmt: skip
    assert in_units.parts.keys() == found.parts.keys()
    assert in_units.frames == found.frames


def test_datasets_are_left_out_by_their_documents(als: Session) -> None:
    found = als.frames("ring_current < 200 mA")
    assert (found.looked["datasets"], found.looked["datasets_asked"]) == (2, 1)
    none = als.frames("ring_current < 50 mA")
    assert (none.frames, none.looked["datasets_asked"], none.looked["blocks_read"]) == (0, 0, 0)


def test_a_missing_value_is_as_a_field_that_is_not_there(als: Session) -> None:
    pid = pid_of(als, "good")
    assert als.frames("not control exists", pids=[pid]).frames == 20
    assert als.frames("control > 0", pids=[pid]).frames == 181
    assert als.frames("control != 5", pids=[pid]).frames == 201


def test_what_cannot_be_asked(als: Session) -> None:
    with pytest.raises(UnknownName, match=r"'ring_curent'.*Did you mean 'ring_current'"):
        als.frames("ring_curent < 390")
    with pytest.raises(UnitError, match="ring_current is kept in mA, and '20 keV' is of another"):
        als.frames("ring_current < 20 keV")
    with pytest.raises(ParameterError, match="channels of frames are numbers"):
        als.frames("title contains head")
    with pytest.raises(NotFound):
        als.frames("ring_current < 390", pids=["lw-nobody"])


def test_nobody_sees_frames_of_what_they_may_not_see(als: Session) -> None:
    pid = pid_of(als, "good")
    mia = lightwell.open(user="mia")
    assert mia.frames("ring_current > 0").frames == 0
    assert mia.frames("nobody_has_it > 0").frames == 0
    with pytest.raises(NotFound):
        mia.frames("ring_current > 0", pids=[pid])
    with pytest.raises(NotFound):
        mia.plan("tomography.gridrec", pid, {}, frames="0-9")
    selection = als.frames("ring_current > 0", pids=[pid])
    with pytest.raises(NotFound):
        mia.plan("tomography.gridrec", selection, {})
    als.selections.save("mine", selection)
    assert not mia.selections.has("mine")


def test_retired_datasets_are_left_out(als: Session) -> None:
    als.retire(pid_of(als, "lost"), why="a test")
    assert als.frames("ring_current < 200").frames == 0


def sources(session: Session, frames: str | None) -> Source:
    plan = session.plan("tomography.gridrec", pid_of(session, "lost"), {}, frames=frames)
    return plan.spec.sources["data"]


def test_a_selection_keeps_flats_and_darks_as_they_were(als: Session) -> None:
    whole, part = sources(als, None), sources(als, "ring_current > 200 mA")
    with h5py.File(als.get(pid_of(als, "lost")).path) as file:
        key = file["entry/instrument/detector/image_key"][()]
        current = file["entry/instrument/source/current"][()][key == 0]
    kept = np.flatnonzero(current > 0.2)
    assert 80 < len(kept) < 121
    one, other = whole.read(), part.read()
    for name in ("flats", "darks", "flat_average"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    # Each projection keeps the flats before and after it, and its distance from them.
    for name in ("frames", "angles", "flat_before", "flat_after", "flat_share"):
        assert np.array_equal(getattr(one, name)[kept], getattr(other, name))


def test_a_selection_reconstructs_and_is_replayed(als: Session, made: Path) -> None:
    pid = pid_of(als, "lost")
    simulated = als.simulate("tomography", made / "again.nxs", **PARAMETERS)
    truth = dict(simulated.truth)
    (made / "again.nxs").unlink()
    als.selections.save("beam", als.frames("ring_current > 200 mA"))

    def error(frames: str | None, source: str) -> tuple[str, float]:
        result = als.run(
            "tomography.gridrec", source, frames=frames, rotation_axis=23.5, workers=1
        ).result()
        return result.pid, relative_error(als.array(result), truth)

    _, clean = error(None, pid_of(als, "good"))
    whole, damaged = error(None, pid)
    selected, mended = error("beam", pid)
    assert damaged > 1.5 * clean
    assert mended < 1.1 * clean
    assert selected != whole
    result = als.get(selected)
    frames = result.job["inputs"]["data"]["frames"]
    assert frames["question"] == "ring_current > 200 mA"
    assert (frames["of"], frames["count"]) == (201, len(FrameRuns.parse(frames["numbers"], 201)))
    shown = result.entry.process["reconstruction"].parameters
    assert shown is not None
    assert shown.values["frames"].value == "177 of 201: ring_current > 200 mA"
    # The same frames are the same job, however they were asked for.
    again = als.plan("tomography.gridrec", pid, {"rotation_axis": 23.5}, frames=frames["numbers"])
    assert again.pid == selected
    assert als.replay(selected).verdict == "equal"


def test_what_a_recipe_cannot_take(als: Session) -> None:
    pid = pid_of(als, "good")
    als.selections.save("both", als.frames("ring_current > 200"))
    for frames, said in [
        ("image_key = 1", "none of the 60 selected frames"),
        ("ring_current > 500", "no frame of .* is selected by: ring_current > 500"),
        ("0-201", "do not rise within 0-200"),
    ]:
        with pytest.raises(ParameterError, match=said):
            als.plan("tomography.gridrec", pid, {}, frames=frames)
    with pytest.raises(ParameterError, match="frames of 2 datasets"):
        als.plan("tomography.gridrec", "both", {})
    with pytest.raises(ParameterError, match="says itself which frames"):
        als.plan("tomography.gridrec", als.frames("ring_current > 0", pids=[pid]), {}, frames="0-9")
    stack = als.array(als.get(pid), "instrument.detector.data", frames="5,20-29")
    assert stack.shape[0] == 11


def test_statistics_are_kept_when_a_scan_is_ingested_again(als: Session, made: Path) -> None:
    pid = pid_of(als, "lost")
    dataset = als.index_frames(pid, statistics=True)
    assert "frame_mean" in dataset.frames["channels"]
    als.ingest(made / "lost.nxs")
    assert als.frames("frame_max > 10000 counts", pids=[pid]).frames > 0
    found = als.frames("frame_max > 20000", pids=[pid], region="0:2,20:30")
    with h5py.File(dataset.path) as file:
        pixels = file["entry/instrument/detector/data"][:, 0:2, 20:30]
    expected = np.flatnonzero(pixels.max((1, 2)) > 20000)
    assert 0 < len(expected) < 201
    assert found.parts[pid].frames().tolist() == expected.tolist()
    assert als.fsck().clean
    als.reindex()
    assert als.frames("frame_mean > 0", pids=[pid]).frames == 201


def test_the_index_is_checked_and_made_anew(als: Session, follow: Follow) -> None:
    index = als.installation.frame_index
    good, lost = pid_of(als, "good"), pid_of(als, "lost")
    (index.folder / "new" / f"{good}.h5").unlink()
    assert codes(als) == ["frames-missing"]
    follow(als.fsck().findings[0].remedy)
    assert codes(als) == []
    (index.folder / "new" / f"{lost}.h5").write_bytes(b"damaged")
    assert codes(als) == ["frames-unreadable"]
    als.reindex()
    assert codes(als) == []
    [table] = (index.folder / "tables").glob("*.h5")
    table.write_bytes(table.read_bytes()[:5000])
    assert set(codes(als)) == {"frames-unreadable", "frames-not-found"}
    with pytest.raises(UnknownName, match="1 files of the frame index cannot be read"):
        als.frames("ring_current > 0")
    als.reindex()
    assert codes(als) == []
    assert als.frames("ring_current > 0").frames == 402
    shutil.rmtree(index.folder)
    assert codes(als) == ["frames-missing"] * 2
    als.reindex()
    assert codes(als) == []
    assert als.frames("ring_current > 0").frames == 402


PROGRAM = """
import sys
from lightwell.frame_index import index
import lightwell
session = lightwell.open()
made = session.installation.frame_index
if sys.argv[1] == "gather":
    made.gather(at_least=1)
else:
    session.reindex()
"""


@pytest.mark.soak
@pytest.mark.parametrize("verb", ["gather", "reindex"])
def test_killed_while_gathering_every_answer_is_the_same(
    als: Session, verb: str, soak_share: float
) -> None:
    home = als.installation.home
    if verb == "reindex":
        als.installation.frame_index.gather(at_least=1)
    before = home.with_name("before")
    als.installation.catalog.close()
    release()
    shutil.copytree(home, before)
    command = [sys.executable, "-c", PROGRAM, verb]
    mine = [p for p in passages(command) if p.startswith(("frames-", "hdf5-"))]
    assert {p.partition(":")[0] for p in mine} >= {"frames-gathered", "frames-kept", "hdf5-renamed"}
    for passage in mine[:: 1 if soak_share >= 0.1 else 3]:
        shutil.rmtree(home)
        shutil.copytree(before, home)
        assert killed_at(passage, command)
        session = lightwell.open()
        assert session.frames("ring_current > 200").frames == 201 + 177
        assert {f.code for f in session.fsck().findings} <= {"leftover"}
        session.reindex()
        assert session.frames("ring_current > 200").frames == 201 + 177
        session.installation.catalog.close()
        release()


def test_a_channel_that_cannot_be_read_is_flagged(tmp_path: Path) -> None:
    session = lightwell.open()
    path = tmp_path / "scan.nxs"
    write_scan(session, path)
    with h5py.File(path, "r+") as file:
        del file["entry/sample/x_translation"]
        file["entry/sample/x_translation"] = h5py.ExternalLink("motors.h5", "/x")
        with h5py.File(tmp_path / "motors.h5", "w") as motors:
            layout = h5py.VirtualLayout((201,), "f8")
            layout[:] = h5py.VirtualSource("gone.h5", "/x", (201,))
            motors.create_virtual_dataset("x", layout)
    [raw] = session.ingest(path)
    assert "channel-unreadable" in {flag.code for flag in raw.flags}
    assert "sample_x" not in raw.frames["channels"]
    assert session.frames("ring_current > 0").frames == 201
    assert isinstance(raw.entry.lookup("sample.x_translation"), ArrayRef)
