"""Reading HDF5 arrays: lightwell's threads against the best that h5py does, page cache warm.

    python benchmarks/reading.py [--frames 120] [--rounds 9] [--threads 2] [--folder DIR]

Frames of 2048 × 1280 uint16 with counting noise, one per chunk, as detectors write them, and
contiguous. Every reader fills the same blocks of frames, in memory that is there before: h5py that
of NumPy, as it makes it itself; lightwell an array that begins where a page does, as its own reads
return. What either does with the other's kind of memory is shown too, and how fast memory is
copied to memory by as many threads: no reader can be faster for long.

Every round runs all of them once, one after the other, and what is compared is medians of the
rounds. h5py's best is the best of: frame by frame, blocks of frames, the same in two threads. All
numbers are compared before anything is timed.
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

import h5py
import hdf5plugin
import numpy as np

from lightwell.hdf5 import Hdf5Array, aligned

ROWS, COLUMNS = 2048, 1280
BLOCK = 16
LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "uncompressed": {"chunks": (1, ROWS, COLUMNS)},
    "bitshuffle-lz4": {"chunks": (1, ROWS, COLUMNS), **hdf5plugin.Bitshuffle(cname="lz4")},
    "shuffle-deflate": {
        "chunks": (1, ROWS, COLUMNS),
        "compression": "gzip",
        "compression_opts": 1,
        "shuffle": True,
    },
    "blosc-lz4": {"chunks": (1, ROWS, COLUMNS), **hdf5plugin.Blosc(cname="lz4", shuffle=2)},
}
PLAIN = ("contiguous", "uncompressed")
SLOW = {"shuffle-deflate": 6}

Reader = Callable[[], None]


def write(path: Path, frames: int) -> None:
    """Write every layout of the same frames."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    mean = 2000 + 600 * np.sin(columns / 200) * np.cos(rows / 300)
    kinds = generator.poisson(mean, (4, ROWS, COLUMNS)).astype(np.uint16)
    with h5py.File(path, "w") as file:
        for name, options in LAYOUTS.items():
            count = max(BLOCK, frames // SLOW.get(name, 1))
            data = file.create_dataset(name, (count, ROWS, COLUMNS), "u2", **options)
            for number in range(count):
                data[number] = kinds[number % 4]


def slabs(array: Hdf5Array, step: int, threads: int, axis: int, out: Any) -> Reader:
    """Read an array in slabs along an axis with lightwell."""

    def read() -> None:
        for start in range(0, array.shape[axis], step):
            stop = min(start + step, array.shape[axis])
            cut = tuple(slice(start, stop) if i == axis else slice(None) for i in range(3))
            where = tuple(slice(0, stop - start) if i == axis else slice(None) for i in range(3))
            array.read_into(cut, out[where], threads)

    return read


def frames_h5py(dataset: Any, step: int, out: Any, part: slice) -> Reader:
    """Read a part of the frames with h5py, `step` at a time, to their places in a block."""

    def read() -> None:
        for start in range(0, dataset.shape[0], step)[part]:
            stop = min(start + step, dataset.shape[0])
            place = start % BLOCK
            dataset.read_direct(out, np.s_[start:stop], np.s_[place : place + stop - start])

    return read


def copying(source: Any, out: Any, count: int, threads: int) -> Reader:
    """Copy a block from memory to memory as often as it takes for so many frames."""

    def some(number: int) -> Reader:
        return lambda: np.copyto(out[number::threads], source[number::threads])

    def read() -> None:
        for _ in range(0, count, BLOCK):
            in_threads([some(number) for number in range(threads)])()

    return read


def in_threads(readers: list[Reader]) -> Reader:
    """Run readers at the same time."""

    def read() -> None:
        threads = [threading.Thread(target=one) for one in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return read


Times = dict[str, list[float]]


def measure(readers: dict[str, Reader], rounds: int) -> tuple[Times, Times]:
    """Seconds of every reader in every round, the readers alternating: wall, and busiest thread.

    The processor time of the busiest thread is what the wall clock would show if every thread
    had a core to itself: all there is to compare on a machine that is shared. HDF5 lets one
    thread in at a time, so that h5py's is that of all threads together.
    """
    wall: Times = {name: [] for name in readers}
    busy: Times = {name: [] for name in readers}
    for number in range(rounds + 1):
        for name, read in readers.items():
            before, total, start = thread_seconds(), time.process_time(), time.perf_counter()
            read()
            took, spent = time.perf_counter() - start, time.process_time() - total
            after = thread_seconds()
            most = max(seconds - before.get(ident, 0.0) for ident, seconds in after.items())
            if number:
                wall[name].append(took)
                busy[name].append(spent if name.startswith("h5py") else most)
    return wall, busy


def thread_seconds() -> dict[int, float]:
    """The processor time of every thread of this process."""
    idents = [thread.ident for thread in threading.enumerate() if thread.ident is not None]
    return {one: time.clock_gettime(time.pthread_getcpuclockid(one)) for one in idents}


def report(title: str, times: tuple[Times, Times], nbytes: int, target: str) -> None:
    """Print medians, spread, and lightwell against h5py's best."""
    print(f"\n{title}, {nbytes / 1e9:.2f} GB")
    compare("wall clock", times[0], nbytes, target)
    compare("busiest thread", times[1], nbytes, target)


def compare(clock: str, seconds: Times, nbytes: int, target: str) -> None:
    """Print what one clock shows."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f" by {clock}")
    for name, times in seconds.items():
        speeds = sorted(nbytes / one / 1e6 for one in times)
        print(
            f"  {name:34s} {nbytes / medians[name] / 1e6:8.0f} MB/s"
            f"   ({speeds[0]:.0f} to {speeds[-1]:.0f})"
        )
    best = min((name for name in medians if name.startswith("h5py")), key=medians.__getitem__)
    ours = [name for name in medians if name.startswith("lightwell")]
    for name in ours:
        pairs = [b / o for b, o in zip(seconds[best], seconds[name], strict=True)]
        print(
            f"  {name} / {best}: {medians[best] / medians[name]:.2f} by medians, "
            f"{statistics.median(pairs):.2f} median of rounds{target}"
        )
    copied = next((name for name in medians if name.startswith("(memory")), None)
    if copied is not None:
        fastest = min(ours, key=medians.__getitem__)
        share = medians[copied] / medians[fastest]
        print(f"  {fastest}: {share:.2f} of what copying memory to memory reaches")


def frames(path: Path, name: str, rounds: int, threads: int) -> None:
    """Read all frames in order."""
    array = Hdf5Array.find(path, name)
    assert array.layout().direct, array.layout().why
    # Written to once: pages that are not there yet would be paid for by whoever comes first.
    mine, *theirs = (np.ones((BLOCK, ROWS, COLUMNS), np.uint16) for _ in range(3))
    out, other = (aligned((BLOCK, ROWS, COLUMNS), np.uint16) for _ in range(2))
    out[...] = other[...] = 1
    with h5py.File(path) as file, h5py.File(path) as second:
        check(array, file[name])
        pair = [
            frames_h5py(one[name], 1, block, slice(number, None, 2))
            for number, (one, block) in enumerate(zip((file, second), theirs, strict=True))
        ]
        readers = {
            "h5py, frame by frame": frames_h5py(file[name], 1, mine, slice(None)),
            f"h5py, blocks of {BLOCK}": frames_h5py(file[name], BLOCK, mine, slice(None)),
            "h5py, frames in 2 threads": in_threads(pair),
            "lightwell, 1 thread": slabs(array, BLOCK, 1, 0, out),
            f"lightwell, {threads} threads": slabs(array, BLOCK, threads, 0, out),
            f"lightwell, {threads}, NumPy's memory": slabs(array, BLOCK, threads, 0, mine),
            "(h5py, lightwell's memory)": frames_h5py(file[name], BLOCK, out, slice(None)),
            f"(memory to memory, {threads} threads)": copying(other, out, array.shape[0], threads),
        }
        nbytes = array.layout().nbytes
        wanted = {"bitshuffle-lz4": " (wanted: 1.8)"}
        target = wanted.get(name, " (wanted: 2)" if name in PLAIN else "")
        report(f"frames, {name}", measure(readers, rounds), nbytes, target)


def rows(path: Path, name: str, rounds: int, threads: int, step: int, share: int) -> None:
    """Read slabs of sinogram rows over all frames; of compressed frames only every n-th."""
    array = Hdf5Array.find(path, name)
    count = array.shape[0]
    ours, theirs = (np.ones((count, step, COLUMNS), np.uint16) for _ in range(2))
    with h5py.File(path) as file:
        dataset = file[name]
        starts = range(0, ROWS, step)[::share]

        def with_h5py() -> None:
            for start in starts:
                dataset.read_direct(theirs, np.s_[:, start : start + step])

        def with_lightwell(number: int) -> Reader:
            def read() -> None:
                for start in starts:
                    array.read_into((slice(None), slice(start, start + step)), ours, number)

            return read

        readers = {
            "h5py": with_h5py,
            "lightwell, 1 thread": with_lightwell(1),
            f"lightwell, {threads} threads": with_lightwell(threads),
        }
        seconds = measure(readers, rounds)
        assert np.array_equal(ours, theirs)
        report(f"slabs of {step} rows, {name}", seconds, ours.nbytes * len(starts), "")


def check(array: Hdf5Array, dataset: Any) -> None:
    """Compare all numbers."""
    for start in range(0, array.shape[0], BLOCK):
        part = slice(start, start + BLOCK)
        assert np.array_equal(array.read((part,)), dataset[part])


def main() -> None:
    """Write the files, compare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"{platform.processor() or platform.machine()}, {cores} cores, h5py {h5py.__version__}, "
        f"HDF5 {h5py.version.hdf5_version}, hdf5plugin {hdf5plugin.version}; "
        f"load before: {os.getloadavg()[0]:.1f}; {given.rounds} rounds"
    )
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "frames.h5"
        write(path, given.frames)
        for name in LAYOUTS:
            frames(path, name, given.rounds, given.threads)
        for name, step, share in (
            ("contiguous", 16, 8),
            ("uncompressed", 16, 8),
            ("bitshuffle-lz4", 256, 4),
        ):
            rows(path, name, given.rounds, given.threads, step, share)
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
