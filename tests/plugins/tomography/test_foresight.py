"""The memory of a reconstruction is foreseen from shapes and compiled programs alone."""

from pathlib import Path

import numpy as np
import pytest

from lightwell.engines import JobSpec, Source
from lightwell.engines.local import LocalEngine
from lightwell.engines.plan import plan_job
from lightwell.stacks import ArrayInMemory
from lightwell_tomography.products import Scan
from lightwell_tomography.recipes import gridrec

GB = 1 << 30


def scan(width: int, angles: int) -> Source:
    random = np.random.default_rng(0)
    rows = 32
    made = Scan.taken(
        random.integers(900, 1000, (angles, rows, width), np.uint16),
        random.integers(1900, 2000, (3, rows, width), np.uint16),
        random.integers(90, 100, (3, rows, width), np.uint16),
        np.linspace(0.0, 180.0, angles),
    )
    return Source(Scan, {name: ArrayInMemory(a) for name, a in made.arrays().items()})


@pytest.mark.slow
@pytest.mark.parametrize(("width", "angles"), [(128, 181), (256, 361), (512, 721)])
def test_foreseen_memory_is_near_what_is_measured(width: int, angles: int, tmp_path: Path) -> None:
    given = {"rotation_axis": (width - 1) / 2}
    settings = gridrec.settings(given, lambda _: None)
    sources = {"data": scan(width, angles)}
    spec = JobSpec(
        gridrec, sources, settings, tmp_path / "job", 4 * GB, 1, cache=tmp_path / "cache"
    )
    [planned] = plan_job(spec).sections
    [section] = LocalEngine().run(spec).report["sections"]
    measured = section["worker_peak_bytes"]
    assert planned.worker_bytes == pytest.approx(measured, rel=0.25)
    assert section["predicted"]["worker_peak_bytes"] == pytest.approx(measured, rel=0.25)
    assert section["peak_bytes"] == pytest.approx(section["predicted"]["peak_bytes"], rel=0.25)
