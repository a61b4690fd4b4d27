"""Algorithms as steps: streamed and resumed to the same bits, stopped in sentences."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scans

from lightwell.engines.iterating import IterationWork, foresee_iteration
from lightwell.engines.local import LocalEngine
from lightwell.engines.plan import plan_job
from lightwell.errors import InputError, Interrupted
from lightwell.testing.disturbing import RESUMABLE, disturb
from lightwell_ptychography.engines.rpie import RPIEOptions
from lightwell_ptychography.judgement import object_error
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.products import Diffraction
from lightwell_ptychography.steps import adam, dm, lbfgs, lsqml, raar, rpie

HERE = Path(__file__).parent
KILLS = 30
FEW: dict[str, Any] = {"iterations": 8, "frames_per_tile": 10}
# One that takes its frames in tiles, one that takes all at once.
MOVED = {"refine_positions": True, "positions_from": 2, "stretch_from": 3}
RUNS: dict[str, dict[str, Any]] = {"rpie": FEW | MOVED, "lbfgs": {"iterations": 8}}


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan") / "scan.cxi"
    scans.simulated(path)
    return path


def test_tiles_in_memory_or_read_anew_give_the_same_bits(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = LocalEngine().run(scans.job(scans.simulated(scan), tmp_path / "kept", **FEW))
    monkeypatch.setattr(IterationWork, "fits_whole", lambda *_: False)
    read = LocalEngine().run(scans.job(scans.simulated(scan), tmp_path / "read", **FEW))
    assert read.output.digest == kept.output.digest
    error = read.metrics["fourier_error"]
    assert error == kept.metrics["fourier_error"]
    assert len(error) == 8
    assert error[-1] < 0.9 * error[0]


@pytest.mark.parametrize("name", RUNS)
def test_a_stopped_run_goes_on_to_the_same_bits(scan: Path, tmp_path: Path, name: str) -> None:
    source, given = scans.simulated(scan), RUNS[name]
    undisturbed = LocalEngine().run(scans.job(source, tmp_path / "whole", name, **given))
    engine = LocalEngine()

    def stop(event: Mapping[str, Any]) -> None:
        if event.get("iteration") == 5:
            engine.stop()

    with pytest.raises(Interrupted):
        engine.run(scans.job(source, tmp_path / "job", name, on_event=stop, **given))
    again = LocalEngine().run(scans.job(source, tmp_path / "job", name, **given))
    assert again.output.digest == undisturbed.output.digest
    assert again.metrics == undisturbed.metrics


@pytest.mark.parametrize(
    ("given", "likelihood", "stretch_from"),
    [
        ({}, "amplitude", None),
        ({"refine_positions": True}, "poisson", 20),
        ({"refine_positions": True, "likelihood": "amplitude"}, "amplitude", None),
        ({"refine_positions": True, "stretch_from": None}, "poisson", None),
    ],
)
def test_positions_are_refined_by_counts(
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    likelihood: str,
    stretch_from: int | None,
) -> None:
    seen: list[RPIEOptions] = []
    monkeypatch.setattr("lightwell_ptychography.steps.on_tiles", lambda _, o, run: seen.append(o))
    rpie.function(scans.whole(scans.simulated(scan)), **given)
    assert (seen[0].likelihood, seen[0].stretch_from) == (likelihood, stretch_from)


def test_it_is_a_function_in_a_notebook(scan: Path) -> None:
    data = scans.whole(scans.simulated(scan))
    found = rpie(data, iterations=4, modes=2)
    assert found.object.shape == (1, *data.canvas.shape)
    assert found.probe.shape == (2, 32, 32)
    assert np.isfinite(found.error).all()
    np.testing.assert_array_equal(found.told, data.positions)
    # What fell on the object are the counts of all frames behind an empty one.
    light = float((np.abs(found.probe) ** 2).sum())
    assert float(found.lit.sum()) == pytest.approx(49 * light, rel=1e-4)


def test_a_diverging_run_says_when_and_why(scan: Path, tmp_path: Path) -> None:
    source = scans.simulated(scan)
    with pytest.raises(InputError, match=r"diverged.*after iteration \d+"):
        LocalEngine().run(scans.job(source, tmp_path, iterations=40, object_step=60.0, alpha=0.001))


def test_it_stops_when_nothing_is_won(scan: Path) -> None:
    found = rpie(scans.whole(scans.simulated(scan)), iterations=60, tolerance=0.9)
    counted = int(np.isfinite(found.error).sum())
    # Ten iterations with the largest groups, which begin at the thirtieth, are done in any case.
    assert counted == RPIEOptions().groups[-1][0] + 11
    assert len(found.error) == 60


def test_the_guess_of_the_file_is_taken_when_it_is_asked_for(scan: Path) -> None:
    data = scans.whole(scans.simulated(scan))
    with pytest.raises(InputError, match="no guess"):
        rpie(data, iterations=1, start="file")
    arrays = {**data.arrays(), "guess": np.ones((1, 32, 32), np.complex64)}
    found = rpie(Diffraction.of(**arrays), iterations=1, start="file", probe_from=5)
    probe = np.asarray(found.probe[0])
    assert np.ptp(np.abs(probe)) < 1e-3 * np.abs(probe).max()


def test_the_plan_foresees_a_stream_within_its_budget(scan: Path, tmp_path: Path) -> None:
    plan = plan_job(scans.job(scans.simulated(scan), tmp_path, **FEW))
    [section, _] = plan.sections
    assert (section.purpose, section.tiles, section.tile) == ("iterate", 5, 10)
    assert section.unknown is None
    assert section.peak_bytes < 2 * scans.GB


@pytest.mark.parametrize("step", [adam, dm, lbfgs, lsqml, raar, rpie], ids=lambda step: step.name)
def test_every_step_knows_its_algorithm(scan: Path, step: Any) -> None:
    source, values = scans.simulated(scan), step.complete({"modes": 2})
    tile = 10 if step.over else None
    needs = foresee_iteration(step, values, source, tile, "shapes")
    assert needs.unknown is None
    assert needs.state > 0


def test_one_that_takes_all_frames_comes_nearer(scan: Path) -> None:
    found = dm(scans.whole(scans.simulated(scan)), iterations=12)
    error = np.asarray(found.error)
    assert np.isfinite(error).all()
    assert error[-1] < 0.8 * error[0]


def test_quasi_newton_steps_find_the_object_from_the_data_alone(scan: Path) -> None:
    found = lbfgs(scans.whole(scans.simulated(scan)), iterations=60)
    with np.load(scan.with_suffix(".truth.npz")) as kept:
        true = dict(kept)
    # The photons allow 0.009.
    assert object_error(found.object, true["object"], true["positions"], true["probe"]) < 0.012
    assert np.isfinite(found.error).all()
    # Steps that do not lower the loss are not taken; the loss is a sum of 50 000 float32.
    assert np.all(np.diff(found.error) < 1e-5)


def test_what_keeps_a_wave_for_every_frame_is_refused_with_the_number(scan: Path) -> None:
    source = scans.simulated(scan)
    values = {**dm.complete({}), "modes": 3}
    needs = foresee_iteration(dm, values, source, None, "shapes")
    assert needs.unknown is None
    waves = 49 * 3 * 32 * 32 * 8
    assert needs.state >= waves
    work = IterationWork.of(dm, values, source)
    with pytest.raises(InputError, match=r"dm needs 0\.\d+ GB: .* for all its data, .* the memory"):
        work.check(needs, waves)
    work.check(needs, 10 * waves)
    tiled = rpie.complete({"frames_per_tile": 10})
    assert foresee_iteration(rpie, tiled, source, 10, "shapes").state < waves


def test_what_takes_all_frames_is_refused_with_the_number(scan: Path) -> None:
    source, values = scans.simulated(scan), lbfgs.complete({})
    needs = foresee_iteration(lbfgs, values, source, None, "shapes")
    canvas = int(np.prod(source.arrays["canvas"].shape))
    # The object, its slope, and eight pairs of steps and changes of the slope.
    assert needs.state >= (2 + 2 * 8) * 8 * canvas
    work = IterationWork.of(lbfgs, values, source)
    assert work.least >= source.nbytes("frames")
    with pytest.raises(InputError, match=r"lbfgs needs 0\.\d+ GB: 0\.\d+ GB for all its data"):
        work.check(needs, work.least + needs.nbytes - 1)
    work.check(needs, work.least + needs.nbytes)


def test_arrays_in_memory_are_a_data_set() -> None:
    random_ = np.random.default_rng(1)
    frames = random_.poisson(5.0, (6, 9, 8))
    told = Optics(1e-10, 1.0, 5e-5, 5e-5, 2e-7, 2e-7, near=1.0)
    data = Diffraction.taken(frames, random_.uniform(-40, 40, (6, 2)), optics=told)
    np.testing.assert_array_equal(data.frames, frames)
    far = Diffraction.taken(frames, np.zeros((6, 2)))
    np.testing.assert_array_equal(np.fft.fftshift(far.frames, axes=(1, 2)), frames)
    assert data.positions.min() == 8.0
    with pytest.raises(InputError, match="not numbers"):
        Diffraction.taken(frames, np.full((6, 2), np.nan))
    with pytest.raises(InputError, match="span an object"):
        Diffraction.taken(frames, np.linspace(0, 1e6, 12).reshape(6, 2))


def start(scan: Path, folder: Path, memory: int, name: str) -> "subprocess.Popen[str]":
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(
        {"scan": str(scan), "folder": str(folder), "memory": memory, "name": name}
        | {"given": {**RUNS[name], "iterations": 24}}
    )
    with (folder / "stderr.txt").open("a") as errors:
        return subprocess.Popen(
            [sys.executable, str(HERE / "killed_run.py"), told],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_kills_at_random_moments_leave_the_same_bits(
    scan: Path, tmp_path: Path, soak_share: float, name: str
) -> None:
    chance = random.Random(7)
    given = {**RUNS[name], "iterations": 24}
    spec = scans.job(scans.simulated(scan), tmp_path / "whole", name, **given)
    undisturbed = LocalEngine().run(spec)
    wanted, hits, number = max(2, round(KILLS * soak_share)), 0, 0
    while hits < wanted:
        folder, number = tmp_path / str(number), number + 1
        for _ in range(4):
            memory = int(chance.uniform(0.7, 2.0) * scans.GB)
            found, status = disturb(
                lambda folder=folder, memory=memory: start(scan, folder, memory, name),  # type: ignore[misc]
                folder,
                chance,
                at_any_time=True,
            )
            said = (folder / "stderr.txt").read_text()
            assert status in {0, RESUMABLE, -signal.SIGKILL, -signal.SIGTERM}, said
            hits += len(found)
        with start(scan, folder, scans.GB, name) as process:
            output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, (folder / "stderr.txt").read_text()
        answer = json.loads(output)
        assert answer["digest"] == undisturbed.output.digest
        assert answer["metrics"] == dict(undisturbed.metrics)
        assert not list(folder.rglob("*.part"))
