"""Ptychography next to pty-chi: time to equal object error, three modes, positions, a real scan.

Two cores, contenders alternating in one run, from one guess. Positions are fractions of a pixel, as
a stage gives them. Pty-chi is tuned first, by a grid over algorithm, batch and step; the best goes
on. Compiling is not timed, on either side.

    taskset -c 0,1 python benchmarks/ptychography.py [--side 128]
        [--parts tune,time,modes,moved,star]
"""

import argparse
import bz2
import dataclasses
import importlib.metadata
import io
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Two of everything, before anybody counts cores.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
    os.environ[name] = "2"
os.environ["JAX_PLATFORMS"] = "cpu"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])

import h5py
import jax
import jax.numpy as jnp
import numpy as np
from ptychography_contenders import Contender, Lightwell, PtyChi, Task

from lightwell_ptychography.judgement import (
    lit_region,
    mode_powers,
    object_error,
    object_resolution,
)
from lightwell_ptychography.phantoms import aperture_modes
from lightwell_ptychography.problem import Patterns
from lightwell_ptychography.propagators import FarField
from lightwell_ptychography.scan_stretch import without_stretch
from lightwell_ptychography.simulate import ptychography, truth_of
from lightwell_ptychography.start import first_guess

POSITIONS, PHOTONS, WRONG_FOCUS = 400, 6.8e5, 1.3
TARGETS = (0.10, 0.07, 0.05)
Maker = Callable[[Task], Contender]


@dataclasses.dataclass(frozen=True)
class Known:
    """A simulated scan: what everybody is given, and the truth."""

    task: Task
    true: dict[str, Any]

    def error(self, contender: Contender) -> float:
        """Of the object so far."""
        return object_error(
            contender.object(), self.true["object"], self.true["positions"], self.true["probe"]
        )


def simulated(side: int, modes: int, folder: Path, **further: float) -> Known:
    """A scan; all begin at a blank object and a probe whose defocus is wrong."""
    given = {"frame": side, "positions": POSITIONS, "photons": PHOTONS, "modes": modes, **further}
    made = ptychography.run(folder / f"{side}-{modes}.cxi", given)
    true = truth_of(made.truth)
    with h5py.File(made.path) as file:
        frames = file["entry_1/data_1/data"][()].astype(np.float32)
    shares = 0.1 ** np.arange(modes)
    start, _ = aperture_modes(
        side, shares / shares.sum(), aperture=0.33, diameter=0.4 * WRONG_FOCUS
    )
    probe = (start * np.sqrt(frames.sum(axis=(1, 2)).mean())).astype(np.complex64)
    alive = np.ones((side, side), bool)
    return Known(Task(frames, alive, true["positions_told"], probe, whole=False), true)


def siemens_star(folder: Path) -> Task:
    """The APS's scan of a star; all begin at the probe that lightwell makes of the data."""
    packed = (folder / "ptychography" / "aps_siemens-star-small.npz.bz2").read_bytes()
    with np.load(io.BytesIO(bz2.decompress(packed))) as kept:
        frames, scan = kept["data"][0], kept["scan"][0]
    alive, places = np.ones(frames.shape[1:], bool), scan - scan.min(axis=0)
    patterns = Patterns(jnp.asarray(frames), jnp.asarray(alive), jnp.asarray(places, jnp.float32))
    start = time.perf_counter()
    probe = np.asarray(first_guess(patterns, FarField()).probe)
    print(f"  the probe was made in {time.perf_counter() - start:.1f} s, compiling included")
    return Task(np.fft.fftshift(frames, axes=(1, 2)), alive, places, probe, whole=False)


def ready(maker: Maker, task: Task) -> Contender:
    """A contender that has compiled: another one did the same before it."""
    maker(task).run(1)
    return maker(task)


def tuning() -> dict[str, Maker]:
    """The grid for pty-chi: its two algorithms that suit, batches, steps."""
    batch, made = "reconstructor_options.batch_size", {}
    gain = "reconstructor_options.momentum_acceleration_gain"
    for size, momentum in ((20, 0.0), (40, 0.0), (40, 0.5)):
        steps = {f"{what}_options.optimal_step_size_scaler": 0.9 for what in ("object", "probe")}
        name = f"LSQ-ML batch {size} momentum {momentum}"
        made[name] = _chi("lsqml", {batch: size, gain: momentum, **steps})
    for size, alpha in ((2, 0.1), (2, 0.3), (4, 0.05), (4, 0.1), (4, 0.3), (8, 0.05), (8, 0.1)):
        steps = {f"{what}_options.alpha": alpha for what in ("object", "probe")}
        made[f"rPIE batch {size} alpha {alpha}"] = _chi("rpie", {batch: size, **steps})
    return made


def _chi(algorithm: str, tuning: dict[str, Any]) -> Maker:
    return lambda task: PtyChi(task, algorithm, **tuning)


def tune(known: Known, epochs: int) -> str:
    """Name of the setting with the smallest error in the time that the fastest took."""
    print(f"\ntuning pty-chi, {epochs} epochs each")
    found = {}
    for name, maker in tuning().items():
        contender, spent, errors = maker(known.task), 0.0, []
        contender.run(1)
        for _ in range(3):
            start = time.perf_counter()
            contender.run(epochs // 3)
            spent += time.perf_counter() - start
            errors.append(known.error(contender))
        rate = spent / (3 * (epochs // 3))
        told = ", ".join(f"{error:.4f}" for error in errors)
        print(f"  {name:28s} {rate:6.3f} s/epoch, object error {told}", flush=True)
        found[name] = (errors, spent)
    # Judged at equal time: the error at the end of the shortest run, between the two nearest.
    shortest = min(spent for _, spent in found.values())
    at = {
        name: float(np.interp(shortest, np.linspace(spent / 3, spent, 3), errors))
        for name, (errors, spent) in found.items()
    }
    best = min(at, key=lambda name: at[name])
    print(f"  best after {shortest:.1f} s: {best} ({at[best]:.4f})")
    return best


@dataclasses.dataclass
class Course:
    """Error over time of one contender."""

    contender: Contender
    seconds: float = 0.0
    epochs: int = 0
    errors: list[tuple[float, int, float]] = dataclasses.field(default_factory=list)

    def go_on(self, epochs: int, known: Known) -> None:
        """A block of epochs, and the error after it."""
        start = time.perf_counter()
        self.contender.run(epochs)
        self.seconds += time.perf_counter() - start
        self.epochs += epochs
        self.errors.append((self.seconds, self.epochs, known.error(self.contender)))

    def reached(self, target: float) -> tuple[float, int] | None:
        """Seconds and epochs after which the error was at most this."""
        return next(((s, e) for s, e, error in self.errors if error <= target), None)


def race(known: Known, makers: dict[str, Maker], limit: float, most: int) -> dict[str, Course]:
    """Let contenders take turns, whoever has had less time, until all are at the last target.

    limit : seconds for each, most : epochs.
    """
    courses = {name: Course(ready(maker, known.task)) for name, maker in makers.items()}
    while True:
        going = [
            one
            for one in courses.values()
            if one.epochs < most and one.seconds < limit and one.reached(TARGETS[-1]) is None
        ]
        if not going:
            return courses
        min(going, key=lambda one: one.seconds).go_on(2, known)


def say_race(courses: dict[str, Course], ours: str) -> None:
    """Time to equal error, and per epoch, of all beside ours."""
    for name, one in courses.items():
        seconds, epochs, error = one.errors[-1]
        rate = 1e3 * seconds / epochs
        best = min(error for *_, error in one.errors)
        print(f"  {name:34s} {rate:8.1f} ms/epoch; {error:.4f} after {epochs}, best {best:.4f}")
    reference = courses[ours]
    for name, one in courses.items():
        if one is reference:
            continue
        per_epoch = one.seconds / one.epochs / (reference.seconds / reference.epochs)
        print(f"  {name}: an epoch takes {per_epoch:.2f} x {ours}")
        for target in TARGETS:
            mine, theirs = reference.reached(target), one.reached(target)
            if mine and theirs:
                told = f"{theirs[0]:.2f} s ({theirs[1]} epochs) against {mine[0]:.2f} s ({mine[1]})"
                print(f"    to {target:.2f}: {theirs[0] / mine[0]:.1f} x; {told}")
            elif mine:
                told = f"not in {one.seconds:.1f} s; {ours} in {mine[0]:.2f} s ({mine[1]} epochs)"
                print(f"    to {target:.2f}: more than {one.seconds / mine[0]:.1f} x; {told}")
            else:
                print(f"    to {target:.2f}: {ours} did not reach it")


def bare_transforms(task: Task, repeats: int = 5) -> float:
    """Seconds of one Fourier transform and its inverse of every exit wave, the best way known."""
    import scipy.fft

    modes, side = task.probe.shape[0], task.frames.shape[-1]
    count = len(task.frames) * modes
    waves = np.random.default_rng(0).standard_normal((count, side, side, 2)).astype(np.float32)
    stack = waves.view(np.complex64)[..., 0]
    found = []
    for chunk in (4, 8, 16):
        parts = jnp.asarray(stack[: count // chunk * chunk].reshape(-1, chunk, side, side))

        @jax.jit
        def both(parts: Any) -> Any:
            def one(total: Any, part: Any) -> Any:
                return total + jnp.fft.ifft2(jnp.fft.fft2(part)), None

            return jax.lax.scan(one, jnp.zeros_like(parts[0]), parts)[0]

        both(parts).block_until_ready()
        found.append(_least(lambda parts=parts: both(parts).block_until_ready(), repeats))
    for chunk in (8, 64):

        def plain(chunk: int = chunk) -> None:
            for first in range(0, count, chunk):
                part = scipy.fft.fft2(stack[first : first + chunk], workers=2)
                scipy.fft.ifft2(part, workers=2, overwrite_x=True)

        found.append(_least(plain, repeats))
    return min(found)


def say_distance(task: Task, epoch: float) -> None:
    """How far an epoch is from the transforms alone, with positions as they are and rounded."""
    rounded = dataclasses.replace(task, positions=np.rint(task.positions), whole=True)
    contender = ready(Lightwell, rounded)
    whole = _least(lambda: contender.run(1), 5)
    floor = bare_transforms(task)
    print(f"  a transform and its inverse of every frame: {1e3 * floor:.1f} ms")
    print(
        f"  lightwell: {epoch / floor:.2f} x that; {whole / floor:.2f} x with positions that are "
        "whole pixels, which need no further transforms"
    )


def _least(run: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def equal_time(known: Known, makers: dict[str, Maker], seconds: float) -> None:
    """Object error and mode powers of all after one time, a little at a time each."""
    courses = {name: Course(ready(maker, known.task)) for name, maker in makers.items()}
    while any(one.seconds < seconds for one in courses.values()):
        for one in courses.values():
            if one.seconds < seconds:
                one.go_on(2, known)
    true = ", ".join(f"{share:.3f}" for share in mode_powers(known.true["probe"]))
    print(f"  true mode powers {true}")
    for name, one in courses.items():
        powers = ", ".join(f"{share:.3f}" for share in mode_powers(one.contender.probe()))
        error = one.errors[-1][2]
        print(
            f"  {name:34s} {error:.4f} after {one.epochs} epochs in {one.seconds:.1f} s; "
            f"mode powers {powers}"
        )


def moved(known: Known, epochs: int) -> None:
    """How far refined positions are from where the light was, of the median frame."""
    options = {"positions_from": 3, "stretch_from": 20, "likelihood": "poisson"}
    contender, told = Lightwell(known.task, **options), known.task.positions
    lit = known.true["positions"]
    print(f"  told: {_median_miss(told, lit):.2f} pixels")
    for done in range(epochs // 3, epochs + 1, epochs // 3):
        contender.run(epochs // 3)
        found = contender.positions()
        held = np.asarray(without_stretch(jnp.asarray(found), jnp.asarray(lit)))
        print(
            f"  after {done} epochs: {_median_miss(found, lit):.3f} pixels, without what stretches "
            f"or turns the scan {_median_miss(held, lit):.3f}; "
            f"object error {known.error(contender):.4f}"
        )


def _median_miss(positions: Any, lit: Any) -> float:
    away = positions - lit
    return float(np.median(np.linalg.norm(away - away.mean(axis=0), axis=1)))


def star(task: Task, makers: dict[str, Maker], seconds: float, region: Any) -> None:
    """Ring correlation of two halves, each reconstructed for so long."""
    objects: dict[str, list[Any]] = {name: [] for name in makers}
    told: dict[str, list[int]] = {name: [] for name in makers}
    for first in (0, 1):
        half = task.half(first)
        contenders = {name: ready(maker, half) for name, maker in makers.items()}
        spent = dict.fromkeys(makers, 0.0)
        epochs = dict.fromkeys(makers, 0)
        while any(value < seconds for value in spent.values()):
            for name, contender in contenders.items():
                if spent[name] < seconds:
                    start = time.perf_counter()
                    contender.run(2)
                    spent[name] += time.perf_counter() - start
                    epochs[name] += 2
        for name, contender in contenders.items():
            objects[name].append(contender.object())
            told[name].append(epochs[name])
    for name, pair in objects.items():
        resolution = object_resolution(*pair, region(pair[1]))
        mean = float(np.mean(resolution.ring.correlation))
        print(
            f"  {name:34s} {resolution.half_period:.3f} pixels half period, mean correlation "
            f"{mean:.3f}, {told[name][0]} and {told[name][1]} epochs"
        )


def star_region(task: Task) -> Callable[[Any], Any]:
    """Where the scan lit the star, on anybody's canvas: alike for all, a shift is found later."""

    def region(found: Any) -> Any:
        return lit_region(found.shape[-2:], task.half(1).positions + 4, task.probe)

    return region


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default="tune,time,modes,moved,star")
    parser.add_argument("--side", type=int, nargs="*", default=[128, 256])
    parser.add_argument("--peer", default="", help="setting of pty-chi, in place of tuning")
    parser.add_argument("--epochs", type=int, default=15, help="of every setting, while tuning")
    parser.add_argument("--seconds", type=float, default=30.0, help="for everybody, at equal time")
    parser.add_argument("--limit", type=float, default=150.0, help="seconds of one race, for each")
    parser.add_argument("--data", default=os.environ.get("LIGHTWELL_DATA", "../shared/data"))
    given = parser.parse_args()
    parts = given.parts.split(",")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {cores} cores, load {os.getloadavg()[0]:.1f}")
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("jax", "ptychi", "torch"))
    print(", ".join(versions))
    print(f"{POSITIONS} positions, {PHOTONS:g} photons; PtyPy is not on PyPI and not compared")
    with tempfile.TemporaryDirectory() as folder:
        run_parts(parts, given, Path(folder))


def run_parts(parts: list[str], given: argparse.Namespace, folder: Path) -> None:
    """Tuning, races, equal time, the star: what was asked for."""
    ours = "lightwell rPIE"
    peer = given.peer
    if "tune" in parts:
        peer = tune(simulated(given.side[0], 1, folder), given.epochs)
    peer = peer or "LSQ-ML batch 40 momentum 0.0"
    makers: dict[str, Maker] = {ours: Lightwell, f"pty-chi {peer}": tuning()[peer]}
    if "time" in parts:
        for side in given.side:
            known = simulated(side, 1, folder) if "tune" not in parts else _again(side, folder)
            print(f"\n{side} x {side}, 1 mode: time to equal object error")
            courses = race(known, makers, given.limit, 120)
            say_race(courses, ours)
            say_distance(known.task, courses[ours].seconds / courses[ours].epochs)
    if "modes" in parts:
        for side, modes in ((128, 3), (256, 1)):
            print(f"\n{side} x {side}, {modes} modes: {given.seconds:.0f} s for everybody")
            with tempfile.TemporaryDirectory() as inner:
                equal_time(simulated(side, modes, Path(inner)), makers, given.seconds)
    if "moved" in parts:
        print("\n128 x 128, 1 mode: positions told wrong by up to 3 pixels in each direction")
        with tempfile.TemporaryDirectory() as inner:
            moved(simulated(128, 1, Path(inner), position_error=3.0), 90)
    if "star" in parts:
        print(f"\nSiemens star: {given.seconds:.0f} s for everybody and every half of the frames")
        task = siemens_star(Path(given.data))
        star(task, makers, given.seconds, star_region(task))


def _again(side: int, folder: Path) -> Known:
    inner = folder / f"again-{side}"
    inner.mkdir()
    return simulated(side, 1, inner)


if __name__ == "__main__":
    main()
