"""Workers take devices in turn, ask for their memory politely, and results name the platform."""

import json
import os
import subprocess
import sys

import pytest

from lightwell.engines.environment import environment
from lightwell.engines.workers import worker_environment

TWO = """
import json, sys
from lightwell.engines.worker import single_thread
single_thread(ordinal=int(sys.argv[1]))
import chains, jax, numpy as np
scan = chains.Scan.of(frames=np.ones((2, 4, 8), np.float32), gain=np.ones((4, 8), np.float32),
                      angles=np.zeros(2, np.float32))
line = chains.normalise(scan).line
print(json.dumps([len(jax.local_devices()), [d.id for d in line.devices()]]))
"""


@pytest.mark.parametrize(("ordinal", "device"), [(1, 1), (2, 0)])
def test_tiles_of_a_worker_go_to_its_device(ordinal: int, device: int) -> None:
    # Only to see the choice: of two devices on processors, bits would be those of two threads.
    flags = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", TWO, str(ordinal)],
        env={
            **worker_environment(),
            "XLA_FLAGS": flags,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [2, [device]]


def test_memory_of_a_device_is_asked_for_unless_its_owner_wants_it_grabbed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    assert worker_environment()["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    assert worker_environment()["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"


def test_the_platform_is_asked_for_by_name_and_is_part_of_every_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert worker_environment()["JAX_PLATFORMS"] == "cpu"
    monkeypatch.setenv("LIGHTWELL_PLATFORM", "cuda")
    assert worker_environment()["JAX_PLATFORMS"] == "cuda"
    environment.cache_clear()
    try:
        assert environment()["platform"] == "cuda"
    finally:
        environment.cache_clear()
