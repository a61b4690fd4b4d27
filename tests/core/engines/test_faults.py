"""What goes wrong in a step, a worker or between two processes is said in a sentence."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import chains
import numpy as np
import pytest
import runs
import stranger_chains

from lightwell import Input
from lightwell.engines import Source
from lightwell.engines.local import LocalEngine
from lightwell.engines.lock import JobLock
from lightwell.errors import (
    Conflict,
    InputError,
    Interrupted,
    JunctionError,
    LightwellError,
    PluginError,
    WorkerError,
)
from lightwell.stacks import ArrayInMemory, take


def test_an_error_of_a_step_names_step_and_place(tmp_path: Path) -> None:
    with pytest.raises(PluginError) as error:
        runs.run("broke", tmp_path)
    assert "broken failed with RuntimeError: no good: 6 angles" in str(error.value)
    assert "row 0 to 3" in str(error.value)
    assert any("raise RuntimeError" in note for note in error.value.__notes__)


def test_what_a_step_refuses_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="picky refuses its input: 6 angles are fewer than 1000"):
        runs.run("picked", tmp_path / "a")
    with pytest.raises(PluginError, match=r"misshapen failed with (ValueError|TypeError)"):
        runs.run("bent", tmp_path / "b")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_stop_with_step_and_place(value: float, tmp_path: Path) -> None:
    source = runs.scan()
    frames = source.arrays["frames"].read()
    frames[2, 9, 5] = value
    spoilt = runs.in_memory(
        chains.Scan, **{**{n: a.read() for n, a in source.arrays.items()}, "frames": frames}
    )
    place = r"in 'frames' at angle 2, row 9, x 5.* row 8 to 11"
    with pytest.raises(InputError, match=r"the scan's own data has NaN .*" + place):
        runs.run("lines", tmp_path / "a", sources={"data": spoilt})
    frames[2, 9, 5] = -100
    with pytest.raises(InputError, match=r"zero_to_nan gave NaN .*'line'.* row 8 to 11"):
        runs.run("nans", tmp_path / "b", given={"floor": -1e3}, sources={"data": spoilt})


def test_a_spoilt_frame_of_a_stack_is_named_as_the_file_counts_it(tmp_path: Path) -> None:
    source = runs.scan()
    frames = np.zeros((9, 22, 32), np.float32)
    frames[3:] = source.arrays["frames"].read(())
    frames[7, 9, 5] = np.nan
    stack = take(ArrayInMemory(frames), range(3, 9))
    spoilt = Source(chains.Scan, {**source.arrays, "frames": stack})
    with pytest.raises(InputError, match="angle 4, row 9, x 5, which is frame 7 of the stack"):
        runs.run("volume", tmp_path, sources={"data": spoilt})


def test_an_estimate_that_spoilt_data_made_fail_says_so(tmp_path: Path) -> None:
    source = runs.scan()
    frames = source.arrays["frames"].read(()).copy()
    frames[1, 11, 3] = np.inf
    spoilt = Source(chains.Scan, {**source.arrays, "frames": ArrayInMemory(frames)})
    with pytest.raises(InputError, match=r"own data has NaN .* 'frames' at angle 1, row 11, x 3"):
        runs.run("without_hope", tmp_path, sources={"data": spoilt})


def test_a_diverging_iteration_stops(tmp_path: Path) -> None:
    spoilt = np.ones((9, 16, 16), np.float32)
    spoilt[3, 1, 2] = np.nan
    source = {"data": runs.in_memory(chains.Volume, data=spoilt)}
    with pytest.raises(InputError, match=r"diverged.* data has .* 'data' at row 3, y 1, x 2"):
        runs.run("weakly", tmp_path / "spoilt", sources=source)
    with pytest.raises(InputError, match="weak diverged: error is nan after iteration 3"):
        runs.run("weakly", tmp_path, given={"stop_at": 3})


def test_weakly_typed_states_resume_to_the_same_bits(tmp_path: Path) -> None:
    whole = runs.run("weakly", tmp_path / "whole")
    engine = LocalEngine()

    def stop(event: Any) -> None:
        if event.get("iteration") == 3:
            engine.stop()

    with pytest.raises(Interrupted):
        engine.run(runs.job("weakly", tmp_path / "job", on_event=stop))
    again = runs.run("weakly", tmp_path / "job")
    assert again.output.digest == whole.output.digest
    assert again.metrics == whole.metrics


@pytest.mark.parametrize(
    ("number", "cause"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "SIGSEGV")]
)
def test_the_death_of_a_worker_has_a_cause(number: int, cause: str, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=rf"{cause}.* during tiles 0 to 0") as error:
        runs.run("dead", tmp_path, given={"number": int(number)}, workers=2)
    assert "resumes" in str(error.value)
    assert not workers_of_this_process()


def workers_of_this_process() -> list[str]:
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in found.stdout.splitlines() if "lightwell.engines.worker" in line]


def test_a_step_that_changes_the_length_of_its_axis_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="shorten got 4 points along 'row', gave 2"):
        runs.run("shortened", tmp_path)


def test_a_plan_may_not_read_what_is_cut_into_tiles(tmp_path: Path) -> None:
    with pytest.raises(JunctionError, match=r"a plan .* read an array that is cut into tiles"):
        runs.run("read_too_much", tmp_path)


MODULE = """
import os
if os.environ.get("LIGHTWELL_TEST_PARENT") != str(os.getpid()):
    raise RuntimeError("this module loads only once")
from chains import Scan, Sinograms
from lightwell import Input, map_step

@map_step(over={"row"})
def strange(scan: Scan) -> Scan:
    return scan

recipe = (Input("data", Scan) | strange).named("test.strange")
"""


def test_a_module_a_worker_cannot_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LIGHTWELL_TEST_PARENT", str(os.getpid()))
    import strange_module  # type: ignore[import-not-found]

    monkeypatch.setattr(runs, "recipe_of", lambda _: strange_module.recipe)
    with pytest.raises(PluginError, match=r"could not load the recipe .*loads only once"):
        runs.run("strange", tmp_path / "job")


def test_steps_of_a_notebook_are_refused_before_anything_starts(tmp_path: Path) -> None:
    program = """
import runs
from pathlib import Path
from chains import Scan
from lightwell import Input, map_step

@map_step(over={"row"})
def mine(scan: Scan) -> Scan:
    return scan

runs.recipe_of = lambda _: (Input("data", Scan) | mine).named("mine")
runs.run("mine", Path("job"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the step mine is defined in a notebook or script" in done.stderr, done.stderr
    assert "Move the step into a module" in done.stderr


def test_steps_inside_a_function_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = (Input("data", chains.Scan) | chains.normalise).named("hidden")
    step = hidden.nodes()[1]._with({})  # type: ignore[attr-defined]
    step.__qualname__ = "somewhere.<locals>.normalise"
    monkeypatch.setattr(
        runs, "recipe_of", lambda _: (Input("data", chains.Scan) | step).named("hidden")
    )
    with pytest.raises(LightwellError, match="has no step 'somewhere"):
        runs.run("hidden", tmp_path)


HOLDER = """
import sys, time
from pathlib import Path
from lightwell.engines.lock import JobLock
with JobLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_cannot_run_one_job(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(Conflict, match="another process is running this job"),
            JobLock(path, patience_s=0.3),
        ):
            pass
        holder.kill()
        holder.wait()
        with JobLock(path, patience_s=5):
            pass


def test_a_fork_does_not_keep_the_lock(tmp_path: Path) -> None:
    with JobLock(tmp_path / "lock") as lock:
        copy = os.dup(lock.descriptor)
    with JobLock(tmp_path / "lock", patience_s=0.3):
        pass
    os.close(copy)


def test_stop_ends_a_busy_worker_soon(tmp_path: Path) -> None:
    engine = LocalEngine()
    began: list[float] = []

    def stop(event: Any) -> None:
        if event["event"] == "slab-begun" and not began:
            began.append(time.monotonic())
            engine.stop()

    given = {"rounds": 2}
    source = {"data": runs.frames(64, 256)}
    with pytest.raises(Interrupted, match="it resumes"):
        engine.run(runs.job("ground", tmp_path, given=given, sources=source, on_event=stop))
    assert time.monotonic() - began[0] < 2
    assert not workers_of_this_process()
    assert not runs.leftovers(tmp_path)


def test_a_step_must_give_what_it_declares() -> None:
    class Other(stranger_chains.Frames):
        pass

    with pytest.raises(LightwellError, match="returned Frames, declared is Other"):
        chains.map_step(over={"frame"})(_untrue(Other))(
            stranger_chains.Frames.of(image=np.zeros((2, 3, 3)))
        )


def _untrue(declared: Any) -> Any:
    def untrue(frames: stranger_chains.Frames) -> Any:
        return frames

    untrue.__annotations__["return"] = declared
    return untrue
