"""The near field of PETRA III P25: its propagator shows the star, the far field's is found out."""

from pathlib import Path
from typing import Any

import numpy as np

from lightwell import File
from lightwell.manifests import build_manifest
from lightwell.stacks import open_array
from lightwell_ptychography.importers.cxi import Cxi
from lightwell_ptychography.judgement import Verdict, judge_result, propagator_sentence
from lightwell_ptychography.native_order import native
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.products import Diffraction, ObjectAndProbe
from lightwell_ptychography.steps import rpie

# From the focus to the sample, as the authors of the data have it in their example.
FOCUS = 3.65e-3
P25 = "ptychography/petra3_p25_near_field.cxi"


def _measured(path: Path, **given: Any) -> Diffraction:
    [found] = Cxi().describe(File(path), **given)
    manifest = build_manifest(found.root, [(path.name, "master")])
    lazy = Diffraction.load(found.entry, lambda ref: open_array(ref, manifest))
    return Diffraction.of(**{name: array.read() for name, array in lazy.items()})


def _judged(data: Diffraction, iterations: int, **given: Any) -> tuple[float, Verdict]:
    """The last error, and the verdict."""
    result: ObjectAndProbe = rpie(data, iterations=iterations, **given)
    error = np.asarray(result.error)
    return float(error[~np.isnan(error)][-1]), judge_result(result)


def _as_far_field(near: Diffraction) -> Diffraction:
    """The same frames on the same pixels, taken for diffraction."""
    arrays = near.arrays()
    optics = Optics.of(np.asarray(near.optics))._replace(near=0.0)
    turned = {name: native(np.asarray(arrays[name])) for name in ("frames", "mask")}
    return Diffraction.of(**{**arrays, **turned, "optics": np.asarray(optics, np.float64)})


def test_a_wrong_propagator_leaves_twice_the_error(shared_data: Path) -> None:
    near = _measured(shared_data / P25, propagation="near", focus_distance=FOCUS)
    given = {"refine_positions": True, "likelihood": "amplitude"}
    right, good = _judged(near, 150, **given)
    wrong, _ = _judged(_as_far_field(near), 150, **given)
    # Measured: 0.0392 and 0.0790.
    assert wrong >= 2.0 * right
    assert good.grade != "bad"
    said = propagator_sentence({"near field": right, "far field": wrong})
    assert said.startswith("The near field explains the frames")


def test_frames_that_a_wrong_pixel_keeps_apart_are_found_out(shared_data: Path) -> None:
    near = _measured(shared_data / P25, propagation="near", focus_distance=FOCUS)
    error, good = _judged(near, 40)
    # Measured: 0.07. Without moving the hologram back to the detector: 0.098.
    assert error < 0.085
    assert good.grade != "bad"
    _, bad = _judged(_measured(shared_data / P25, propagation="far"), 3)
    assert bad.grade == "bad"
    assert "a wrong propagator too" in " ".join(bad.sentences)
