"""Several devices on a machine with one: a process that takes its processor for many."""

import os
import subprocess
import sys

__all__ = ["run_on_devices"]


def run_on_devices(file: str, devices: int) -> None:
    """Run a file to its end in a process that sees so many devices; what it raises fails here."""
    told = {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    done = subprocess.run(
        [sys.executable, file], env=os.environ | told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
