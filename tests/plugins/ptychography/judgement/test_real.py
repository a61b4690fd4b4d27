"""The near field of PETRA III P25: its propagator shows the star, the far field's is found out."""

from pathlib import Path
from typing import Any

import numpy as np

from lightwell import File
from lightwell.manifests import build_manifest
from lightwell.stacks import open_array
from lightwell_ptychography.importers.cxi import Cxi
from lightwell_ptychography.judgement import Verdict, judge_result
from lightwell_ptychography.products import Diffraction, ObjectAndProbe
from lightwell_ptychography.steps import rpie

# From the focus to the sample, as the authors of the data have it in their example.
FOCUS = 3.65e-3


def _judged(path: Path, iterations: int, **given: Any) -> tuple[float, Verdict]:
    """The last error, and the verdict."""
    [found] = Cxi().describe(File(path), **given)
    manifest = build_manifest(found.root, [(path.name, "master")])
    lazy = Diffraction.load(found.entry, lambda ref: open_array(ref, manifest))
    data = Diffraction.of(**{name: array.read() for name, array in lazy.items()})
    result: ObjectAndProbe = rpie(data, iterations=iterations)
    error = np.asarray(result.error)
    return float(error[~np.isnan(error)][-1]), judge_result(result)


def test_the_right_and_the_wrong_propagator_are_told_apart(shared_data: Path) -> None:
    path = shared_data / "ptychography" / "petra3_p25_near_field.cxi"
    near, good = _judged(path, 40, propagation="near", focus_distance=FOCUS)
    # Measured: 0.07. Without moving the hologram back to the detector: 0.098.
    assert near < 0.085
    assert good.grade != "bad"
    _, bad = _judged(path, 3, propagation="far")
    assert bad.grade == "bad"
    assert "a wrong propagator too" in " ".join(bad.sentences)
