"""Jobs end with the same bits whatever the means, and with the numbers of one whole call."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import chains
import h5py
import numpy as np
import pytest
import runs

from lightwell.engines import JobSpec
from lightwell.engines.budget import Budget
from lightwell.engines.local import LocalEngine
from lightwell.engines.sources import Source
from lightwell.engines.verification import stored_digest
from lightwell.errors import Conflict, InputError, Interrupted, MissingSource, ParameterError
from lightwell.hdf5 import Hdf5Array, release

NAMES = ("volume", "labels", "cleaned", "relaxed", "lines", "totals")
DIGESTS: dict[str, tuple[str, Mapping[str, Any]]] = {}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One result of every recipe, by one worker."""
    return {name: runs.run(name, tmp_path_factory.mktemp(name.replace(".", "_"))) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_two_workers_give_the_same_bits(
    name: str, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    found = runs.run(name, tmp_path, workers=2)
    assert found.output.digest == undisturbed[name].output.digest
    assert found.metrics == undisturbed[name].metrics


@pytest.mark.parametrize("size", [1, 3, 100])
def test_slabs_of_any_size_give_the_same_bits(
    size: int, undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "tiles", lambda *_: size)
    found = runs.run("labels", tmp_path)
    assert found.output.digest == undisturbed["labels"].output.digest
    # Six tiles in the first section, two in the second.
    assert [s["slabs"] for s in found.report["sections"]] == [-(-6 // size), -(-2 // size)]


class _Stop:
    """Stop an engine at the n-th event of a kind."""

    def __init__(self, engine: LocalEngine, kind: str, number: int) -> None:
        self.engine, self.kind, self.left = engine, kind, number

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.left -= event["event"] == self.kind
        if self.left == 0:
            self.engine.stop()


@pytest.mark.parametrize(
    ("name", "kind", "number"),
    [
        ("labels", "sampled", 2),
        ("labels", "estimated", 1),
        ("labels", "estimated", 2),
        ("labels", "segment", 3),
        ("labels", "segment", 6),
        ("relaxed", "iteration-done", 11),
        ("cleaned", "tile-done", 2),
        ("normed", "estimated", 1),
    ],
)
def test_a_stopped_job_resumes_to_the_same_bits(
    name: str, kind: str, number: int, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    whole = undisturbed.get(name) or runs.run(name, tmp_path / "whole")
    engine = LocalEngine()
    spec = runs.job(name, tmp_path / "job", on_event=_Stop(engine, kind, number))
    with pytest.raises(Interrupted) as stopped:
        engine.run(spec)
    assert stopped.value.exit_status == 75
    assert not runs.leftovers(tmp_path)
    again = runs.run(name, tmp_path / "job", workers=2)
    assert again.report["resumed"]
    assert again.output.digest == whole.output.digest
    assert again.metrics == whole.metrics
    assert again.estimates == whole.estimates


def test_an_iteration_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    engine = LocalEngine()
    spec = runs.job("relaxed", tmp_path, on_event=_Stop(engine, "iteration-done", 11))
    with pytest.raises(Interrupted):
        engine.run(spec)
    rounds: list[int] = []
    runs.run("relaxed", tmp_path, on_event=lambda e: rounds.append(e.get("iteration", -1)))
    assert min(r for r in rounds if r >= 0) >= 9


def test_a_finished_job_computes_nothing_again(tmp_path: Path) -> None:
    first = runs.run("labels", tmp_path)
    events: list[str] = []
    again = runs.run("labels", tmp_path, on_event=lambda e: events.append(e["event"]))
    assert again.output.digest == first.output.digest
    assert not {"tile-done", "sampled", "slab-begun"} & set(events)


def whole_call(sources: Source, axis: float) -> Any:
    product = chains.Scan.of(**{name: a.read() for name, a in sources.arrays.items()})
    return chains.project(chains.soften(chains.normalise(product)), axis=axis, kind="cosine")


def test_tiles_equal_one_whole_call_at_edges_and_in_the_ragged_last_tile(tmp_path: Path) -> None:
    found = runs.run("volume", tmp_path)
    expected = np.asarray(whole_call(runs.scan(), found.estimates["axis"].value).data)
    # Single precision; the notebook's jax has several threads and another batch size.
    np.testing.assert_allclose(
        runs.arrays_of(found, tmp_path)["data"], expected, rtol=2e-5, atol=1e-6
    )


@pytest.mark.parametrize("slices", [(5, None, None), (None, None, 7), (3, 20, 5), (-1, None, None)])
def test_slices_are_the_rows_of_the_full_result(
    slices: tuple[int | None, int | None, int | None],
    undisturbed: dict[str, Any],
    tmp_path: Path,
) -> None:
    whole = runs.arrays_of(undisturbed["volume"], tmp_path / "whole")["data"]
    found = runs.run("volume", tmp_path / "part", slices=slices)
    part = runs.arrays_of(found, tmp_path / "part")["data"]
    np.testing.assert_array_equal(part, whole[slice(*slices)])
    assert found.output.digest != undisturbed["volume"].output.digest


class _Counting:
    """A lazy array in a file that notes which rows are read of it, in any process."""

    def __init__(self, values: np.ndarray, along: int, note: Path) -> None:
        self.values, self.along, self.note = values, along, note
        self.shape, self.dtype = values.shape, values.dtype

    def read(self, selection: tuple[Any, ...] = ()) -> np.ndarray:
        rows = range(self.shape[self.along])[selection[self.along]]
        with self.note.open("a", encoding="utf-8") as file:
            file.write("".join(f"{row}\n" for row in rows))
        return self.values[selection]


def test_slices_read_no_other_tiles(tmp_path: Path) -> None:
    values = runs.scan().arrays
    frames = values["frames"].read()
    source = Source(chains.Scan, {**values, "frames": _Counting(frames, 1, tmp_path / "read")})
    given = {"axis": 12.0}
    runs.run("volume", tmp_path / "job", sources={"data": source}, given=given, slices=(9, 10, 1))
    read = {int(line) for line in (tmp_path / "read").read_text().split()}
    # Row 9 is in the tile 8..11; the halo of two rows needs its neighbours.
    assert read == set(range(4, 16))


def test_two_selections_from_the_same_tiles_have_different_digests(tmp_path: Path) -> None:
    one = runs.run("volume", tmp_path, slices=(0, 1, 1)).output.digest
    assert one != runs.run("volume", tmp_path, slices=(1, 2, 1)).output.digest


@pytest.mark.parametrize("slices", [None, (3, 20, 5)])
def test_the_stored_numbers_have_the_digest_of_the_result(
    slices: tuple[int, int, int] | None, tmp_path: Path
) -> None:
    found = runs.run("lines", tmp_path, slices=slices).output
    assert stored_digest(found) == found.digest
    segment = next(found.folder.glob("seg_*.h5"))
    release()
    with h5py.File(segment, "r+") as file:
        file["intensity"][0, 0] += 1
    assert stored_digest(found) != found.digest


def test_slices_that_select_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="selects nothing of 22 points along 'row'"):
        runs.run("volume", tmp_path, slices=(40, 50, 1))


def test_arrays_without_the_tiled_axis_come_once(
    undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    arrays = runs.arrays_of(undisturbed["lines"], tmp_path)
    np.testing.assert_array_equal(arrays["q"], np.arange(8, dtype=np.float32) / 2)
    assert arrays["intensity"].shape == (22, 8)


def test_a_product_without_axes_is_a_result(undisturbed: dict[str, Any], tmp_path: Path) -> None:
    arrays = runs.arrays_of(undisturbed["totals"], tmp_path)
    assert arrays["rows"].shape == ()
    assert arrays["rows"] == 22
    scan = {name: array.read() for name, array in runs.scan().arrays.items()}
    expected = (scan["frames"] / scan["gain"]).sum(dtype=np.float64)
    assert float(arrays["total"]) == pytest.approx(expected, rel=1e-5)


def test_an_axis_of_length_zero(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data along 'row'"):
        runs.run("lines", tmp_path / "rows", sources={"data": runs.scan(rows=0)})
    found = runs.run("lines", tmp_path / "bins", given={"bins": 0})
    assert runs.arrays_of(found, tmp_path / "bins")["intensity"].shape == (22, 0)


def test_glimpses_are_rows_of_the_products_on_the_way(
    undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    wanted = [(chains.Sinograms, "row"), (chains.Volume, "row"), (chains.Sinograms, "angle")]
    found = runs.run("volume", tmp_path, glimpses=wanted)
    whole = runs.arrays_of(undisturbed["volume"], tmp_path)["data"]
    glimpse: Any = found.glimpses[wanted[1]]
    np.testing.assert_array_equal(glimpse.data[0], whole[11])
    assert set(found.glimpses) == set(wanted)


def test_an_integer_for_a_float_parameter_gives_the_bits_of_the_float(tmp_path: Path) -> None:
    digests = {
        runs.run("volume", tmp_path / str(n), given={"axis": value}).output.digest
        for n, value in enumerate((20, 20.0, np.float32(20)))
    }
    assert len(digests) == 1


def test_a_plan_sees_the_length_of_the_whole_axis(tmp_path: Path) -> None:
    found = runs.run("row_counts", tmp_path, workers=2)
    scan = {name: array.read() for name, array in runs.scan().arrays.items()}
    np.testing.assert_allclose(
        runs.arrays_of(found, tmp_path)["line"], scan["frames"] / scan["gain"] + 22, rtol=1e-6
    )


def test_a_given_value_skips_the_estimate(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    given = {"mark": str(mark), "factor": 2.0}
    found = runs.run("without_hope", tmp_path / "job", given=given)
    assert not mark.exists()
    assert found.estimates == {}
    assert found.settings["factor"].origin == "given"


def test_a_failed_estimate_names_the_parameter_to_give(tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as error:
        runs.run("without_hope", tmp_path)
    assert "all lines are flat" in str(error.value)
    assert "--set factor=" in str(error.value)


def test_estimates_are_remembered_whatever_happens_to_the_diary(tmp_path: Path) -> None:
    given = {"mark": str(tmp_path / "mark")}
    engine = LocalEngine()
    spec = runs.job("scaled", tmp_path / "job", given=given)
    stopping = JobSpec(**{**vars(spec), "on_event": _Stop(engine, "estimated", 1)})
    with pytest.raises(Interrupted):
        engine.run(stopping)
    (tmp_path / "job" / "events.jsonl").unlink()
    stored = json.loads((tmp_path / "job" / "estimates.json").read_text())
    assert stored["factor"]["value"] == 1.5
    assert LocalEngine().run(spec).estimates["factor"].sigma == 0.25
    assert (tmp_path / "mark").read_text() == "called\n"


def test_a_side_input_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'background' has 20 points along 'row', the data has 22"):
        runs.run("cleaned", tmp_path, sources={"dark": runs.dark(rows=20)})


def test_a_missing_segment_is_an_error_and_never_zeros(tmp_path: Path) -> None:
    found = runs.run("volume", tmp_path)
    runs.arrays_of(found, tmp_path)
    segments = sorted(found.output.folder.glob("seg_*.h5"))
    segments[1].rename(tmp_path / "elsewhere.h5")
    with pytest.raises(MissingSource, match=segments[1].name):
        Hdf5Array.find(tmp_path / "arrays.h5", "data").read()
    again = runs.run("volume", tmp_path)
    assert again.output.digest == found.output.digest


def test_the_folder_of_a_result_can_be_moved(tmp_path: Path) -> None:
    found = runs.run("volume", tmp_path / "here")
    before = runs.arrays_of(found, tmp_path / "here")["data"]
    (tmp_path / "here").rename(tmp_path / "there")
    after = Hdf5Array.find(tmp_path / "there" / "arrays.h5", "data").read()
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("fault", ["truncated", "other bytes", "another number"])
def test_a_corrupt_segment_is_found_and_computed_again(fault: str, tmp_path: Path) -> None:
    found = runs.run("volume", tmp_path)
    data = runs.arrays_of(found, tmp_path)["data"]
    [segment, *_] = sorted(found.output.folder.glob("seg_*.h5"))
    if fault == "truncated":
        content = segment.read_bytes()
        segment.write_bytes(content[: len(content) // 2])
    elif fault == "another number":
        release()
        with h5py.File(segment, "r+") as file:
            file["data"][0, 0, 0] += 1
    else:
        runs.spoil_a_chunk(segment)
    events: list[str] = []
    again = runs.run("volume", tmp_path, on_event=lambda e: events.append(e["event"]))
    assert events.count("damaged") == 1
    assert again.output.digest == found.output.digest
    np.testing.assert_array_equal(runs.arrays_of(again, tmp_path)["data"], data)


def test_a_folder_holds_one_job(tmp_path: Path) -> None:
    runs.run("volume", tmp_path, given={"axis": 1.0})
    with pytest.raises(Conflict, match="the folder holds another job"):
        runs.run("volume", tmp_path, given={"axis": 2.0})


def test_files_of_others_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "raw").mkdir()
    runs.run("lines", tmp_path)
    facts = tmp_path / "job.json"
    stored = json.loads(facts.read_text())
    stored["environment"]["jax"] = "0.0"
    facts.write_text(json.dumps(stored))
    assert not runs.run("lines", tmp_path).report["resumed"]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "raw").is_dir()


def test_half_written_files_of_a_killed_try_are_removed(tmp_path: Path) -> None:
    runs.run("lines", tmp_path)
    (tmp_path / ".estimates.json.123.part").write_text("{")
    (tmp_path / "result" / "seg_000009-000010.h5.part").write_text("half")
    runs.run("lines", tmp_path)
    assert not runs.leftovers(tmp_path)
