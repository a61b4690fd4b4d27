"""The facts about the software and the CPU that decide a result's bits."""

import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

__all__ = ["cpu_class", "environment", "platform_wanted", "xla_flags"]

_LEVELS = ("avx512f", "avx2", "avx", "sse4_2")


@cache
def cpu_class() -> str:
    """The class of CPU whose members round alike: architecture and vector instructions.

    XLA compiles for the host, and a host with wider vectors or fused multiply-add rounds
    differently; hosts of one class gave the same bits in every measurement.
    """
    machine = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return machine
    flags = next((line for line in cpuinfo.read_text().splitlines() if "flags" in line), "")
    words = set(flags.split())
    level = next((name for name in _LEVELS if name in words), "baseline")
    return f"{machine}-{level}{'-fma' if 'fma' in words else ''}"


def xla_flags() -> str:
    """The XLA_FLAGS a worker gets: those of the user, but for the one that adds threads."""
    words = os.environ.get("XLA_FLAGS", "").split()
    return " ".join(word for word in words if "force_host_platform_device_count" not in word)


def platform_wanted() -> str:
    """The platform workers compute on: LIGHTWELL_PLATFORM as JAX calls it, else the processor.

    Not JAX_PLATFORMS, which is made for the program that embeds us: a result has its platform in
    its identity, and must not get another by accident.
    """
    return os.environ.get("LIGHTWELL_PLATFORM", "").strip().lower() or "cpu"


@cache
def environment() -> Mapping[str, str]:
    """Versions, platform and CPU class: what the bits of a result depend on beside its inputs."""
    versions = {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy")}
    # Compiled forms of kernels are taken where they can be, and round otherwise than XLA.
    for name in ("numba", "llvmlite"):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    flags = {"xla_flags": xla_flags()} if xla_flags() else {}
    return {
        **versions,
        **flags,
        "lightwell": _own_version(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": platform_wanted(),
        "cpu_class": cpu_class(),
        "threads": "1",
        "x64": "false",
    }


def _own_version() -> str:
    try:
        return metadata.version("lightwell")
    except metadata.PackageNotFoundError:
        return "unknown"
