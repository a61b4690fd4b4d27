"""Azimuthal integration next to pyFAI: one frame and stacks, full splitting, Poisson errors.

Two cores, contenders alternating in one run, medians. Numbers are compared before times are.

    taskset -c 0,1 python benchmarks/saxs.py [--frames 100] [--repeats 5] [--parts frame,stack]
"""

import argparse
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Two of everything, before anybody counts cores.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC", "NUMBA_NUM_THREADS"):
    os.environ[name] = "2"
# pyFAI's threads would go on spinning after their turn, on the core that the next contender needs.
os.environ["OMP_WAIT_POLICY"] = "passive"
os.environ["JAX_PLATFORMS"] = "cpu"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])

import h5py
import jax
import numba
import numpy as np
import pyFAI
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from lightwell.hdf5 import Hdf5Array, share
from lightwell_saxs.kernels import averaging, compiled
from lightwell_saxs.kernels.corrections import pixel_weights
from lightwell_saxs.kernels.geometry import Geometry, pixel_positions
from lightwell_saxs.kernels.splitting import Axis, build_operator, full_range

BINS, FACTOR, THREADS, FRAMES = 1000, 0.95, 2, 16
METHOD = ("full", "csr", "cython")


class Setting:
    """A detector, its frames, and the plans of all contenders."""

    def __init__(self, side: int) -> None:
        self.shape = (side, side)
        pixel = 172e-6
        geometry = Geometry(
            0.5, 0.52 * side * pixel, 0.47 * side * pixel, 0.02, -0.01, 0.0, pixel, pixel, 1e-10
        )
        rng = np.random.default_rng(side)
        self.mask = np.zeros(self.shape, np.int8)
        self.mask[side // 5 : side // 5 + 17] = 1
        places = pixel_positions(geometry, self.shape)
        counts = 200 * np.exp(-((places.radial / 8) ** 2)) * (1 + np.sin(3 * places.radial) ** 2)
        self.frame = rng.poisson(counts + 20).astype(np.int32)
        valid = self.mask == 0
        self.limits = (0.0, 1.001 * full_range(places, valid)[1])
        detector = Detector(pixel, pixel, max_shape=self.shape, orientation=3)
        facts = {n: getattr(geometry, n) for n in ("poni1", "poni2", "rot1", "rot2", "wavelength")}
        self.peer = AzimuthalIntegrator(dist=geometry.distance, detector=detector, **facts)
        self.theirs(self.frame)
        start = time.perf_counter()
        operator = build_operator(places, valid, Axis(*self.limits, BINS), splitting="full")
        self.building = time.perf_counter() - start
        weight = pixel_weights(geometry, self.shape, polarisation_factor=FACTOR) * valid
        self.fast = compiled.compiled_plan(operator, weight)
        plan = averaging.portable_plan(operator, weight)
        self.portable_plan = jax.tree_util.tree_map(jax.numpy.asarray, plan)
        self.jitted = jax.jit(averaging.average, static_argnames=("errors",))

    def theirs(self, frame: Any) -> Any:
        """One frame by pyFAI."""
        return self.peer.integrate1d_ng(
            frame,
            BINS,
            unit="q_nm^-1",
            radial_range=self.limits,
            method=METHOD,
            error_model="poisson",
            polarization_factor=FACTOR,
            mask=self.mask,
        )

    def peer_loop(self, stack: Any) -> Any:
        """A stack by pyFAI, frame by frame."""
        return [self.theirs(frame) for frame in stack]

    def ours(self, stack: Any) -> Any:
        """A stack by the compiled form."""
        return compiled.average(stack.reshape(len(stack), -1), self.fast, threads=THREADS)

    def portable(self, stack: Any) -> Any:
        """A stack by the portable form."""
        found = self.jitted(stack.reshape(len(stack), -1), self.portable_plan, errors="poisson")
        return jax.block_until_ready(found)

    def check(self) -> None:
        """Refuse to time what does not agree."""
        peer = self.theirs(self.frame)
        for name, form in (("compiled", self.ours), ("portable", self.portable)):
            mean, sigma = (np.asarray(part)[0] for part in form(self.frame[None]))
            for what, one, other in (("I", mean, peer.intensity), ("sigma", sigma, peer.sigma)):
                seen = (other > 0) & (np.arange(BINS) > 3) & (np.arange(BINS) < BINS - 3)
                difference = np.abs(one[seen] / other[seen] - 1)
                p99 = np.percentile(difference, 99)
                print(f"  {name} {what}: p99 {p99:.1e}, max {difference.max():.1e} from pyFAI")
                assert p99 < 1e-5


def alternate(contenders: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each, one after the other in every round, after a round unmeasured."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        ms = sorted(1e3 * t for t in times)
        print(f"  {name:34s} median {statistics.median(ms):9.1f} ms  ({ms[0]:.1f} to {ms[-1]:.1f})")
    return {name: statistics.median(times) for name, times in seconds.items()}


def say_ratios(found: dict[str, float], reference: str) -> None:
    """How many times as fast as the reference each of the others is."""
    for name, seconds in found.items():
        if name != reference:
            print(f"  {name}: {found[reference] / seconds:.2f} x {reference}")


def one_frame(side: int, repeats: int) -> None:
    """One frame: pyFAI, compiled and portable."""
    setting = Setting(side)
    print(
        f"\none frame of {side} x {side}, {BINS} bins (operator built in {setting.building:.2f} s)"
    )
    setting.check()
    stack = setting.frame[None]
    found = alternate(
        {
            "pyFAI": lambda: setting.theirs(setting.frame),
            "compiled": lambda: setting.ours(stack),
            "portable (JAX)": lambda: setting.portable(stack),
        },
        repeats,
    )
    say_ratios(found, "pyFAI")


def stacks(side: int, frames: int, repeats: int, folder: Path) -> None:
    """Stacks in memory, and read from HDF5 with one frame per chunk."""
    setting = Setting(side)
    rng = np.random.default_rng(1)
    stack = np.stack([np.roll(setting.frame, int(k)) for k in rng.integers(0, 50, frames)])
    print(f"\na stack of {frames} frames of {side} x {side}, in memory")
    found = alternate(
        {
            "pyFAI": lambda: setting.peer_loop(stack),
            "compiled": lambda: setting.ours(stack),
            "portable (JAX), 16 at a time": lambda: [
                setting.portable(stack[i : i + 16]) for i in range(0, frames, 16)
            ],
        },
        repeats,
    )
    say_ratios(found, "pyFAI")
    for label, options in (("stored as they are", {}), ("deflated", {"compression": 1})):
        path = folder / f"stack-{len(options)}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("data", data=stack, chunks=(1, *setting.shape), **options)
        for one, other in zip(ours_from_file(setting, path), setting.ours(stack), strict=True):
            np.testing.assert_array_equal(one, other)
        print(f"\nthe same from HDF5, {label} ({path.stat().st_size / 1e6:.0f} MB)")
        found = alternate(
            {
                "pyFAI": lambda path=path: peer_from_file(setting, path),
                "compiled": lambda path=path: ours_from_file(setting, path),
            },
            max(repeats // 2, 2),
        )
        say_ratios(found, "pyFAI")


def peer_from_file(setting: Setting, path: Path) -> None:
    """PyFAI's loop over the frames of a file."""
    with h5py.File(path) as file:
        for index in range(len(file["data"])):
            setting.theirs(file["data"][index])


def ours_from_file(setting: Setting, path: Path) -> Any:
    """The compiled form; each thread decodes sixteen frames and integrates them, warm as they are.

    What one thread waits for the file or spends on decoding, the other one integrates.
    """
    stored = Hdf5Array.find(path, "/data")
    found = [np.empty((len(setting.fast.norm), stored.shape[0])) for _ in range(2)]
    blocks = threading.local()

    def work(start: int) -> None:
        stop = min(start + FRAMES, stored.shape[0])
        if not hasattr(blocks, "own"):
            blocks.own = np.empty((FRAMES, *setting.shape), stored.dtype)
        block = blocks.own[: stop - start]
        stored.read_into((slice(start, stop),), block, 1)
        both = compiled.average(block.reshape(len(block), -1), setting.fast)
        for whole, part in zip(found, both, strict=True):
            whole[:, start:stop] = part.T

    share(range(0, stored.shape[0], FRAMES), work, THREADS)
    return tuple(whole.T for whole in found)


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parts", default="frame,stack", help="what to measure")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {cores} cores, load {os.getloadavg()[0]:.1f}")
    print(f"pyFAI {pyFAI.version}, numba {numba.__version__}, jax {jax.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        if "frame" in given.parts:
            one_frame(1000, 4 * given.repeats)
            one_frame(2000, 2 * given.repeats)
        if "stack" in given.parts:
            stacks(1000, given.frames, given.repeats, Path(folder))


if __name__ == "__main__":
    main()
