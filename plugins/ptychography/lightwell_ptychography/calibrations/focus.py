"""How far the sample stands behind the focus, from the frames of a far-field scan alone."""

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lightwell import ArrayRef, Entry
from lightwell.calibration import Calibrated, Calibration, Constant
from lightwell.errors import InputError, MissingMetadata, ParameterError
from lightwell.stacks import ArrayInMemory, LazyArray
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.products import Diffraction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell_ptychography.calibrations.parts import Parts

__all__ = ["MiddleFrames", "defocus", "find_defocus"]

_MOST_FRAMES = 512
_LEAST_ITERATIONS = 20
# Of the depth of focus: a sigma beyond this leaves the sharp plane open.
_SHARP = 0.25
# Within so many standard errors the mean of so many parts is found in 68.3 % of cases (Student).
_STUDENT = {2: 1.837, 4: 1.197, 8: 1.077}


class MiddleFrames(Diffraction):
    """Frames of the middle of a scan, 512 at most, which say enough about the illumination."""

    @classmethod
    def load(
        cls, entry: Entry, open_array: Callable[[ArrayRef], LazyArray]
    ) -> Mapping[str, LazyArray]:
        """Find the frames nearest to the middle, and read those alone.

        Errors: MissingMetadata, InputError.
        """
        from lightwell_ptychography.start import central_frames

        found = dict(super().load(entry, open_array))
        if found["frames"].shape[0] > _MOST_FRAMES:
            chosen = central_frames(found["positions"].read(), _MOST_FRAMES)
            for name in ("frames", "positions"):
                found[name] = ArrayInMemory(found[name].read((chosen,)))
        return found


def find_defocus(
    data: MiddleFrames,
    *,
    modes: int = 1,
    iterations: int = 80,
    refine_positions: bool = False,
    seed: int = 0,
) -> Calibrated:
    """Distance from the focus to the sample, above 0 behind it, and the size of the beam.

    The scan is cut into parts that share no frame, each is reconstructed by itself, and the phase
    of the pupil of each one's illumination tells a distance: their mean is the value, and their
    scatter its sigma. They begin on different sides of the first guess, so that what has not
    converged scatters too. modes : of the illumination; iterations : of every part;
    refine_positions : where the scanner's own are not exact; seed : of the order of the frames.
    Errors: InputError for a near field, too few frames, or frames that nothing explains;
    MissingMetadata where lengths are not known.
    """
    import jax.numpy as jnp
    import numpy as np

    from lightwell_ptychography.calibrations.parts import reconstructed
    from lightwell_ptychography.problem import Patterns

    optics = _checked(data, modes, iterations)
    patterns = Patterns(
        jnp.asarray(np.asarray(data.frames)),
        jnp.asarray(np.asarray(data.mask) != 0),
        jnp.asarray(np.asarray(data.positions), jnp.float32),
        "amplitude" if optics.amplitude else "count",
    )
    parts = reconstructed(
        patterns, modes=modes, iterations=iterations, seed=seed, refine_positions=refine_positions
    )
    return _answer(_Focus.of(parts.probes, optics), parts)


class _Focus(NamedTuple):
    """What the probes of the parts say.

    forms : (part, 2, 2) m, distance from the focus along rows, columns and between; depth : m, of
    the focus; sizes : (part, 2) m, diameter at the sample and in the focus.
    """

    forms: "NDArray[Any]"
    depth: float
    sizes: "NDArray[Any]"

    @classmethod
    def of(cls, probes: "NDArray[Any]", optics: Optics) -> "_Focus":
        import numpy as np

        from lightwell_ptychography.calibrations.pupil import bent, curvature, diameter, edge

        pixel = (optics.object_row, optics.object_column)
        forms = np.array([curvature(probe, pixel) for probe in probes])
        middle = 0.5 * np.trace(forms.mean(axis=0)) * np.eye(2)
        sizes = [
            (diameter(probe, pixel), diameter(bent(probe, pixel, -middle), pixel))
            for probe in probes
        ]
        radius = float(np.mean([edge(probe, pixel) for probe in probes]))
        depth = 1.0 / (optics.wavelength * radius**2)
        return cls(forms / optics.wavelength, depth, np.array(sizes))

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The distance from the focus."""
        return (_mean("defocus", 0.5 * self.forms.trace(axis1=1, axis2=2)),)

    @property
    def derived(self) -> tuple[Constant, ...]:
        """Both distances of an astigmatic beam, how they differ, and diameters."""
        import numpy as np

        axes = np.linalg.eigh(self.forms.mean(axis=0))[1]
        along = np.einsum("ik,nij,jk->nk", axes, self.forms, axes)
        return (
            _mean("defocus_rows", self.forms[:, 0, 0]),
            _mean("defocus_columns", self.forms[:, 1, 1]),
            _mean("astigmatism", along[:, 1] - along[:, 0]),
            Constant("depth_of_focus", self.depth, None, "m"),
            _mean("beam_diameter", self.sizes[:, 0]),
            _mean("focus_diameter", self.sizes[:, 1]),
        )


def _mean(name: str, values: "NDArray[Any]") -> Constant:
    """Mean of the parts, m, and its standard error, larger where parts are few (Student)."""
    import numpy as np

    sigma = _STUDENT[len(values)] * np.std(values, ddof=1) / math.sqrt(len(values))
    return Constant(name, float(np.mean(values)), float(sigma), "m")


def _checked(data: MiddleFrames, modes: int, iterations: int) -> Optics:
    """The lengths of a scan that can tell the distance.

    Errors: InputError, MissingMetadata, ParameterError.
    """
    import numpy as np

    optics = Optics.of(np.asarray(data.optics))
    if optics.near:
        raise InputError(
            "in the near field the distance from the focus is an input and not a result",
            remedy="ingest the scan with --set focus_distance=…",
        )
    if not np.isfinite([optics.wavelength, optics.object_row, optics.object_column]).all():
        raise MissingMetadata(
            "the size of a pixel of the object is not known, so neither is any distance",
            remedy="ingest the scan with --set energy=… --set distance=… --set pixel_size=…",
        )
    if modes < 1 or iterations < _LEAST_ITERATIONS:
        raise ParameterError(
            f"modes = {modes} with iterations = {iterations} cannot be reconstructed",
            remedy=f"use one mode or more, and {_LEAST_ITERATIONS} iterations or more",
        )
    return optics


def _answer(found: _Focus, parts: "Parts") -> Calibrated:
    """Values, verdict and file."""
    constants, derived = found.constants, found.derived
    spread = (constants[0].sigma or 0.0) / found.depth
    is_good = parts.verdict.grade != "bad" and spread <= _SHARP
    reason = (
        f"{len(found.forms)} parts of {parts.frames} frames, sigma {100 * spread:.2g} % of the "
        f"depth of focus. The worst part: {' '.join(parts.verdict.sentences)}"
    )
    facts = {
        "convention": "above 0 the sample stands behind the focus, seen along the beam",
        **{one.name: {"value": one.value, "sigma": one.sigma, "unit": one.unit}
           for one in (*constants, *derived)},
        "parts": [float(0.5 * form.trace()) for form in found.forms],
    }  # fmt: skip
    verdict = "good" if is_good else "doubtful"
    return Calibrated(constants, derived, verdict, reason, json.dumps(facts, indent=2) + "\n")


defocus = Calibration("defocus", MiddleFrames, find_defocus, ".json")
