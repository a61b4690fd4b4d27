"""A worker has one XLA thread whatever the number of cores, and leaves no core unused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import runs

from lightwell.engines.workers import Worker, Workers, worker_environment

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="needs processor affinity"
)
TWO_CORES = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2 if hasattr(os, "sched_getaffinity") else True,
    reason="one core cannot tell",
)

CANARY = """
import hashlib, json, os, sys
import numpy as np
cores = int(sys.argv[1])
if cores:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
if sys.argv[2] == "pinned":
    from lightwell.engines.worker import single_thread
    single_thread()
import jax, jax.numpy as jnp
random = np.random.default_rng(0)
image = random.random((1024, 768), np.float32)
long = random.random((8, 100_000), np.float32)
def work(image, long):
    return jnp.fft.rfft2(image), image.sum(), long @ long.T, jnp.linalg.eigh(image[:64, :64])[0]
digest = hashlib.sha256()
for array in jax.jit(work)(image, long):
    digest.update(np.asarray(array).tobytes())
threads = [open(f"/proc/self/task/{t}/comm").read().strip() for t in os.listdir("/proc/self/task")]
affinities = {len(os.sched_getaffinity(int(t))) for t in os.listdir("/proc/self/task")}
print(json.dumps([digest.hexdigest(), threads.count("tf_XLAEigen"), sorted(affinities)]))
"""


def canary(cores: int, how: str) -> Any:
    kept = worker_environment() if how == "pinned" else dict(os.environ)
    done = subprocess.run(
        [sys.executable, "-c", CANARY, str(cores), how],
        env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_pinned_process_gives_one_set_of_bits_on_any_number_of_cores() -> None:
    found = [canary(cores, "pinned") for cores in (1, 2, 0, 0)]
    assert len({digest for digest, _, _ in found}) == 1
    assert {threads for _, threads, _ in found} == {1}


@TWO_CORES
def test_pinning_is_what_does_it() -> None:
    _, threads, affinities = canary(0, "free")
    assert threads > 1, "XLA starts one thread by itself: the rule may have become needless"
    _, threads, affinities = canary(0, "pinned")
    assert threads == 1
    assert affinities == [len(os.sched_getaffinity(0))], "threads left on one core"


def test_the_affinity_alone_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # NPROC is for XLA's own tests and may go; then this still holds.
    monkeypatch.delenv("NPROC", raising=False)
    kept = {name: text for name, text in worker_environment().items() if name != "NPROC"}
    monkeypatch.setattr(sys.modules[__name__], "worker_environment", lambda: kept)
    assert canary(0, "pinned")[1] == 1


def test_a_worker_has_one_xla_thread_on_all_cores() -> None:
    with Workers(lambda _: None, Event()) as workers:
        section = None
        workers.call("section", 0, section)
        tasks = Path(f"/proc/{workers.members[0].process.pid}/task")
        threads = [int(task.name) for task in tasks.iterdir()]
        names = [(tasks / str(t) / "comm").read_text().strip() for t in threads]
        assert names.count("tf_XLAEigen") == 1
        assert all(os.sched_getaffinity(t) == os.sched_getaffinity(0) for t in threads)


def test_a_worker_gets_no_settings_that_change_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("JAX_DISABLE_JIT", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=4 --xla_dump_to=/tmp/x")
    found = worker_environment()
    assert not {"JAX_ENABLE_X64", "JAX_DISABLE_JIT"} & set(found)
    assert found["OPENBLAS_NUM_THREADS"] == found["NPROC"] == "1"
    assert found["XLA_FLAGS"] == "--xla_dump_to=/tmp/x"
    assert found["JAX_PLATFORMS"] == "cpu"


def test_a_worker_that_lost_its_supervisor_ends() -> None:
    program = (
        "from lightwell.engines.workers import Worker; import time; w = Worker(); "
        "print(w.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        worker = int(supervisor.stdout.readline())
        supervisor.kill()
    process = Path(f"/proc/{worker}/cmdline")
    import time

    deadline = time.monotonic() + 5
    while process.exists() and process.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not (process.exists() and process.read_bytes())


def test_a_closed_pipe_ends_a_worker_that_waits() -> None:
    worker = Worker()
    worker.pipe.close()
    assert worker.process.wait(timeout=30) == 0


def test_results_do_not_depend_on_an_embedding_programs_jax(tmp_path: Path) -> None:
    import jax

    plain = runs.run("volume", tmp_path / "plain")
    jax.config.update("jax_enable_x64", True)
    try:
        assert runs.run("volume", tmp_path / "x64").output.digest == plain.output.digest
    finally:
        jax.config.update("jax_enable_x64", False)
