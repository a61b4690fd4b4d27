"""The engine on a scan that is four times the memory it may use.

    python benchmarks/engine.py [--full | --gb 6.4 --memory 1.6GB] [--angles 1025] [--width 512]
        [--slices 0:1430] [--workers 2] [--folder DIR] [--keep] [--parts LIST]

Makes a scan of that many logical GB (uint16 with counting noise, one frame per chunk,
bitshuffle-LZ4), reconstructs it by tomography.gridrec with the rotation axis to be found, and
passes it once through kernels that do nothing. Each job is a process with its workers; their
memory is sampled together (pages that several map are shared out among them), and everything a
bound is compared with was measured in the same run:

- peak memory against 1.15 x budget + 300 MB, and against what was foreseen;
- wall time against 1.3 x the larger of the longest stage alone (all its seconds, shared out among
  the workers) and all CPU seconds, shared out among the cores;
- the same with a stage counted over both passes, laying out anew and the work itself, where there
  are two: the second cannot begin before the first has ended;
- the same with the cores that other programs left to it, where the machine was not its own;
- bytes read from the scan against 1.1 x what it takes on the disk;
- wall time against what was foretold after the first slab.

Then some tiles of three widths (memory foreseen and time foretold beside what came), and one slice
of a scan of the same size that lies contiguous, its axis given: by a command that
starts with nothing kept on disk, by one that finds tables and programs there (20 s), reading less
than 2 % of the bytes, and by further ones of a process that keeps a worker ready (3 s): after some
seconds and at once, since a virtual machine may have to ask its host for the memory again.

Room is needed for the scan (about 0.7 of its logical size) and for the larger of scratch and
result (each the logical size times the share of --slices): scratch is given back as the result
grows. That is some 12 GB as it stands, and 21 GB with --full: 12 GB at a budget of 3 GB. Everything
is deleted at the end; with --keep the scans stay in --folder, for the parts to be measured one by
one.
"""

import argparse
import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lightwell.settings import parse_size

FLATS, DARKS, POOL = 20, 20, 8
PAUSES = (8.0, 1.0, 1.0)
"""Seconds somebody looks at a slice before he asks for the next one."""

PHOTONS = 20000.0
AXIS_OFF = 7.3
MEMORY_BOUND, MEMORY_SLACK = 1.15, 300e6
WALL_BOUND, READ_BOUND, TIME_BOUND, FORESEEN_BOUND = 1.3, 1.1, 0.3, 0.25


JOBS = {"gridrec": "tomography.gridrec", "idle": "idle"}
PARTS = ("scan", *JOBS, "foretold", "slice")
SOME = 16
FULL = ("--gb", "12", "--memory", "3GB", "--angles", "2049", "--width", "1024")


class Size(NamedTuple):
    """The projections of a scan."""

    angles: int
    rows: int
    width: int

    @property
    def nbytes(self) -> int:
        """Their bytes as uint16."""
        return 2 * self.angles * self.rows * self.width


def make_scan(path: Path, angles: int, rows: int, width: int) -> None:
    """Write a scan frame by frame: two cylinders, counting noise, darks and flats first."""
    from lightwell.hdf5 import create_compressed, write_chunks, writing

    rng = np.random.default_rng(0)
    # Fresh noise for each frame would take longer than the reconstruction; shifted, it repeats
    # nowhere near and compresses the same.
    pool = rng.normal(0.0, 1.0, (POOL, rows, width)).astype(np.float32)
    turned = np.deg2rad(np.linspace(0.0, 180.0, angles))
    x = np.arange(width) - (width - 1) / 2 - AXIS_OFF
    shape = (DARKS + FLATS + angles, rows, width)
    with writing(path) as file:
        data = create_compressed(file, "data", shape, np.uint16, (1, rows, width))
        for index in range(shape[0]):
            if index < DARKS:
                mean = np.full(width, 100.0)
            elif index < DARKS + FLATS:
                mean = np.full(width, PHOTONS)
            else:
                mean = PHOTONS * np.exp(-_paths(x, float(turned[index - DARKS - FLATS])))
            noise = np.roll(pool[index % POOL], index * 37 % width, axis=1)
            frame = np.rint(mean + np.sqrt(mean) * noise).clip(0, 65535).astype(np.uint16)
            write_chunks(data, frame[None], (index, 0, 0))


def make_contiguous(path: Path, angles: int, rows: int, width: int) -> None:
    """Write a scan in one block of which the disk holds only the rows of the middle tile."""
    from lightwell.hdf5 import writing

    rng = np.random.default_rng(0)
    middle = rows // 2 // 16 * 16
    with writing(path) as file:
        shape = (DARKS + FLATS + angles, rows, width)
        data = file.create_dataset("data", shape, np.uint16)
        for index in range(shape[0]):
            level = 100 if index < DARKS else PHOTONS if index < DARKS + FLATS else PHOTONS / 2
            data[index, middle : middle + 16] = rng.normal(level, level**0.5, (16, width))


def _paths(x: Any, angle: float) -> Any:
    width = len(x)
    found = np.zeros(width)
    for radius, place, strength in ((0.42, 0.0, 0.8), (0.1, 0.2, 0.6)):
        offset = x - place * width * np.cos(angle)
        inside = np.maximum((radius * width) ** 2 - offset**2, 0.0)
        found += strength * np.sqrt(inside) / (radius * width)
    return found


def job(kind: str, scan: Path, folder: Path, means: dict[str, Any]) -> dict[str, Any]:
    """Run one job in this process and its workers; its report."""
    from engine_steps import Frames, idle

    from lightwell.engines import JobSpec, Source
    from lightwell.engines.local import LocalEngine
    from lightwell.engines.standby import keep_ready
    from lightwell.hdf5 import Hdf5Array
    from lightwell.stacks import ArrayInMemory, take
    from lightwell_tomography.kernels.flatfield import flat_weights
    from lightwell_tomography.products import Scan, Volume
    from lightwell_tomography.recipes import gridrec

    stack = Hdf5Array.find(scan, "data")
    angles = stack.shape[0] - FLATS - DARKS
    frames = take(stack, np.arange(DARKS + FLATS, stack.shape[0]))
    given = {"rotation_axis": (stack.shape[2] - 1) / 2} if kind == "slice" else {}
    if kind == "idle":
        recipe: Any = idle
        source = Source(Frames, {"frames": frames})
    else:
        recipe = gridrec
        weights = flat_weights(np.arange(angles), np.zeros(FLATS))
        names = ("flat_average", "flat_before", "flat_after", "flat_share")
        tables = dict(zip(names, map(ArrayInMemory, map(np.asarray, weights)), strict=True))
        stacks = {
            "frames": frames,
            "flats": take(stack, np.arange(DARKS, DARKS + FLATS)),
            "darks": take(stack, np.arange(DARKS)),
            "angles": ArrayInMemory(np.linspace(0.0, 180.0, angles)),
        }
        source = Source(Scan, {**stacks, **tables})
    spec = JobSpec(
        recipe,
        {"data": source},
        recipe.settings(given, lambda _: None),
        folder,
        means["memory"],
        means["workers"],
        slices=means["slices"],
        glimpses=[(Volume, "row")] if kind == "tomography.gridrec" else [],
        cache=Path(means["cache"]),
    )
    if means.get("again"):
        keep_ready(spec.cache)
    outcome = LocalEngine().run(spec)
    again = []
    for number, pause in enumerate(PAUSES if means.get("again") else ()):
        time.sleep(pause)
        began = time.perf_counter()
        LocalEngine().run(dataclasses.replace(spec, folder=folder.with_name(f"again_{number}")))
        again.append(time.perf_counter() - began)
    found = {name: estimate.value for name, estimate in outcome.estimates.items()}
    return {**outcome.report, "estimates": found, "again_s": again}


class Sampler(threading.Thread):
    """Samples the memory of a process and all below it until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.resident = pid, 0, 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.2):
            tree = _tree(self.pid)
            self.peak = max(self.peak, sum(_rollup(pid, "Pss:") for pid in tree))
            self.resident = max(self.resident, sum(_rollup(pid, "Rss:") for pid in tree))


def _tree(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
            except OSError:
                continue
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += parents.get(pid, [])
    return found


def _rollup(pid: int, what: str) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(what))


def measure(kind: str, scan: Path, folder: Path, means: dict[str, Any]) -> dict[str, Any]:
    """Run a job in a process of its own; report, wall, CPU seconds and peak memory."""
    call = json.dumps({"kind": kind, "scan": str(scan), "folder": str(folder), "means": means})
    began = time.perf_counter()
    command = [sys.executable, os.path.abspath(__file__), "--job", call]  # noqa: PTH100
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    sampler = Sampler(process.pid)
    sampler.start()
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    sampler.ended.set()
    sampler.join()
    if process.returncode:
        raise SystemExit(f"the job {kind} ended with status {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "report": json.loads(output.splitlines()[-1]),
        "wall": wall,
        "cpu": cpu,
        "peak": sampler.peak,
        "resident": sampler.resident,
    }


def foretold(folder: Path, size: Size, means: dict[str, Any]) -> None:
    """What was foreseen of some tiles of three widths, and what came."""
    for share in (2, 3, 4):
        part = Size(size.angles * share // 4, 16 * SOME, size.width * share // 4)
        scan = folder / "part.h5"
        make_scan(scan, *part)
        print(f"\nforetold, {part.angles} x {part.rows} x {part.width}")
        target = folder / "foretold"
        found = measure(JOBS["gridrec"], scan, target, {**means, "memory": 4 << 30})
        for section in found["report"]["sections"]:
            _foreseen(section)
        scan.unlink()
        shutil.rmtree(target)


def others_share(before: tuple[float, float], own: float) -> float:
    """How many cores other programs kept busy meanwhile, from the system's own account."""
    busy, total = _busy()
    cores = os.cpu_count() or 1
    elapsed = (total - before[1]) / cores
    return max(0.0, (busy - before[0] - own) / elapsed) if elapsed else 0.0


def _busy() -> tuple[float, float]:
    tick = os.sysconf("SC_CLK_TCK")
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / tick, sum(fields) / tick


def judge(kind: str, found: dict[str, Any], stored: int, means: dict[str, Any]) -> None:
    """Print what was measured beside its bounds."""
    report, memory, workers = found["report"], means["memory"], means["workers"]
    sections = report["sections"]
    laid_out = report["scratch"]
    stages = {
        "reading the scan": sum(s["read_s"] for s in laid_out) / workers,
        "laying it out": sum(s["write_s"] for s in laid_out) / workers,
        "reading tiles": sum(s["read_s"] for s in sections) / workers,
        "computing": sum(s["compute_s"] for s in sections) / workers,
        "writing": sum(s["write_s"] for s in sections) / workers,
    }
    longest = max(stages, key=lambda name: stages[name])
    shared_out = found["cpu"] / means["cores"]
    least = max(stages[longest], shared_out)
    read = sum(s["read_bytes"] for s in laid_out) + sum(s["source_bytes"] for s in sections)
    print(f"\n{kind}: {found['wall']:.1f} s, {found['cpu']:.1f} CPU s, "
          f"others kept {found['others']:.2f} of {means['cores']} cores busy")  # fmt: skip
    for name, seconds in stages.items():
        print(f"  {name:18s} {seconds:8.1f} s")
    moved = sum(s["read_s"] + s["write_s"] for s in sections)
    waited = sum(s["waited_s"] for s in sections)
    print(f"  of {moved:.1f} s reading and writing tiles the work waited {waited:.1f} s")
    bound = MEMORY_BOUND * memory + MEMORY_SLACK
    _line("peak memory", found["peak"] / 1e9, bound / 1e9, "GB")
    print(
        f"  {'(all resident pages':18s} {found['resident'] / 1e9:8.2f} GB, shared ones over again)"
    )
    _line("wall", found["wall"], WALL_BOUND * least, f"s (1.3 x {least:.1f})")
    if laid_out:
        # No tile is whole before the last frame was laid out: the passes cannot overlap.
        scan, laying, tiles, computing, writing = stages.values()
        passes = max(scan + tiles, computing, laying + writing, shared_out)
        _line("wall, both passes", found["wall"], WALL_BOUND * passes, f"s (1.3 x {passes:.1f})")
    left = max(means["cores"] - found["others"], 0.05)
    fair = max(stages[longest], found["cpu"] / left)
    _line("wall, fair share", found["wall"], WALL_BOUND * fair, f"s ({left:.2f} cores left to it)")
    _line("read of the scan", read / stored, READ_BOUND, "x")
    for section in sections:
        _foreseen(section)


def _line(name: str, value: float, bound: float, unit: str) -> None:
    verdict = "holds" if value <= bound else "DOES NOT HOLD"
    print(f"  {name:18s} {value:8.2f} <= {bound:.2f} {unit}: {verdict}")


def _foreseen(section: dict[str, Any]) -> None:
    predicted = section["predicted"]
    if "peak_bytes" in predicted:
        off = section["peak_bytes"] / predicted["peak_bytes"] - 1
        verdict = "holds" if abs(off) <= FORESEEN_BOUND else "DOES NOT HOLD"
        print(f"  memory foreseen    {predicted['peak_bytes'] / 1e9:8.2f} GB, measured "
              f"{section['peak_bytes'] / 1e9:.2f} GB ({off:+.0%}): {verdict}")  # fmt: skip
    if predicted.get("seconds"):
        off = section["wall_s"] / predicted["seconds"] - 1
        verdict = "holds" if abs(off) <= TIME_BOUND else "DOES NOT HOLD"
        print(f"  time foretold      {predicted['seconds']:8.1f} s, measured "
              f"{section['wall_s']:.1f} s ({off:+.0%}): {verdict}")  # fmt: skip


def one_slice(folder: Path, size: Size, means: dict[str, Any]) -> None:
    """One slice of a contiguous scan: with nothing kept, with what was kept, once more."""
    scan = folder / "contiguous.h5"
    make_contiguous(scan, *size)
    whole = size._replace(angles=size.angles + FLATS + DARKS).nbytes
    asked = {**means, "slices": [size.rows // 2, size.rows // 2 + 1, 1], "workers": 1}
    asked["cache"] = str(folder / "slice_cache")
    print("\none slice of a contiguous scan")
    for title, again in (("nothing kept", False), ("a command", False), ("and again", True)):
        before = _busy()
        target = folder / title.replace(" ", "_")
        found = measure("slice", scan, target, {**asked, "again": again})
        others = others_share(before, found["cpu"])
        print(f"  {title:18s} {found['wall']:8.1f} s, {found['cpu']:.1f} CPU s, "
              f"others kept {others:.2f} of {means['cores']} cores busy")  # fmt: skip
        if title == "a command":
            _line("  bound", found["wall"], 20.0, "s")
            [section] = found["report"]["sections"]
            _line("  of all bytes", 100 * section["source_bytes"] / whole, 2.0, "%")
        if again:
            for pause, seconds in zip(PAUSES, found["report"]["again_s"], strict=True):
                _line(f"  {pause:.0f} s later", seconds, 3.0, "s")


def main() -> None:
    """Make the scans, run the jobs, print what was measured beside its bounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help=f"the same as {' '.join(FULL)}")
    parser.add_argument("--gb", type=float, default=6.4, help="logical size of the projections")
    parser.add_argument("--memory", default="1.6GB")
    parser.add_argument("--angles", type=int, default=1025)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--slices", default=None, help="first:last rows to reconstruct")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--keep", action="store_true", help="leave the scans in --folder")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, in this order")
    parser.add_argument("--job", default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.full:
        given = parser.parse_args([*FULL, *sys.argv[1:]])
    if given.job is not None:
        call = json.loads(given.job)
        report = job(call["kind"], Path(call["scan"]), Path(call["folder"]), call["means"])
        print(json.dumps(report))
        return
    rows = round(given.gb * 1e9 / (2 * given.angles * given.width) / 16) * 16
    edges = [int(word) for word in given.slices.split(":")] if given.slices else []
    means: dict[str, Any] = {
        "memory": parse_size(given.memory),
        "workers": given.workers,
        "cores": len(os.sched_getaffinity(0)),
        "slices": [*edges, 1] if edges else None,
    }
    size = Size(given.angles, rows, given.width)
    with tempfile.TemporaryDirectory(prefix="lightwell-engine-", dir=given.folder) as name:
        kept = given.folder if given.keep and given.folder else Path(name)
        _run(kept, Path(name), size, means, given.parts.split(","))


def _run(
    scans: Path, folder: Path, size: Size, means: dict[str, Any], parts: Sequence[str]
) -> None:
    scan = scans / f"scan-{size.angles}-{size.rows}-{size.width}.h5"
    means["cache"] = str(folder / "cache")
    print(f"{platform.processor() or platform.machine()}, {means['cores']} cores, "
          f"{means['workers']} workers, Python {platform.python_version()}")  # fmt: skip
    if not scan.exists() and set(parts) & {"scan", *JOBS}:
        began = time.perf_counter()
        make_scan(scan, *size)
        print(f"scan made in {time.perf_counter() - began:.0f} s")
    print(f"{size.angles} x {size.rows} x {size.width} uint16: {size.nbytes / 1e9:.2f} GB logical, "
          f"budget {means['memory'] / 1e9:.2f} GB: the scan is {size.nbytes / means['memory']:.1f} "
          f"times that; rows {means['slices'] or 'all'}")  # fmt: skip
    for part in parts:
        if part in JOBS:
            _one_job(part, scan, folder, size, means)
    if scans == folder:
        scan.unlink(missing_ok=True)
    if "foretold" in parts:
        foretold(folder, size, means)
    if "slice" in parts:
        one_slice(folder, size, means)


def _one_job(part: str, scan: Path, folder: Path, size: Size, means: dict[str, Any]) -> None:
    stored = scan.stat().st_size
    print(f"\n{part}: {stored / 1e9:.2f} GB stored (ratio {size.nbytes / stored:.2f})")
    before = _busy()
    target = folder / part
    found = measure(JOBS[part], scan, target, means)
    found["others"] = others_share(before, found["cpu"])
    judge(JOBS[part], found, stored, means)
    estimates = found["report"]["estimates"]
    if estimates:
        true = (size.width - 1) / 2 + AXIS_OFF
        print(f"  rotation axis {estimates['rotation_axis']:.3f}, true {true:.3f}")
    shutil.rmtree(target)


if __name__ == "__main__":
    main()
