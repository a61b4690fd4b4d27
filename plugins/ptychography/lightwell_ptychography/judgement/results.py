"""The verdict on a result as it is stored, without its frames."""

from typing import TYPE_CHECKING

from lightwell_ptychography.judgement.fit import Fit, noise_of_roots
from lightwell_ptychography.judgement.verdict import (
    Verdict,
    judge_fit,
    mode_powers,
    power_sentence,
)

if TYPE_CHECKING:
    from lightwell_ptychography.products import ObjectAndProbe, Optics

__all__ = ["judge_result"]

_FRAMES = 16
_TIMES_LIT = 2.5
"""Frames overlapping by a third of their width."""


def judge_result(found: "ObjectAndProbe") -> Verdict:
    """Judge a result by its last error, and by what counting photons would leave of its frames.

    How much that is, the result says itself: it makes up to 16 frames, spread over the scan, whose
    counts are those of the detector. Modes and moved positions get a sentence each.
    """
    import numpy as np

    from lightwell_ptychography.products import Optics

    optics = Optics.of(np.asarray(found.optics))
    known = np.asarray(found.error, np.float64)
    known = known[~np.isnan(known)]
    last = float(known[-1]) if len(known) else float("nan")
    floor = None if optics.amplitude else _counting_floor(found, optics)
    verdict = judge_fit(Fit(last, floor, np.zeros(0)), "near" if optics.near else "far")
    grade, sentences = verdict.grade, list(verdict.sentences)
    times = _times_lit(found)
    if times < _TIMES_LIT:
        grade = "bad"
        sentences.append(
            f"A place of the object was lit {times:.1f} times only: any model explains frames that "
            "overlap so little, a wrong propagator too. Look at propagation, distance, energy and "
            "pixel size, which say how large a pixel of the object is."
        )
    if found.probe.shape[0] > 1:
        sentences.append(power_sentence(mode_powers(found.probe).tolist()))
    moves = np.asarray(found.positions, np.float64) - np.asarray(found.told, np.float64)
    sizes = np.linalg.norm(moves - moves.mean(axis=0), axis=1)
    if sizes.max() > 1e-3:
        sentences.append(
            f"Positions moved by {np.median(sizes):.2f} pixels (median), {sizes.max():.2f} at most."
        )
    return Verdict(grade, tuple(sentences))


def _times_lit(found: "ObjectAndProbe") -> float:
    """In how many frames a place of the object was, on average.

    The area of the probe is what its power takes if it is spread evenly.
    """
    import numpy as np

    power = (np.abs(np.asarray(found.probe, np.complex128)) ** 2).sum(axis=0)
    area = float(power.sum()) ** 2 / max(float((power**2).sum()), 1e-300)
    light = np.asarray(found.lit, np.float64)
    lit = float(light.sum()) ** 2 / max(float((light**2).sum()), 1e-300)
    return float(found.positions.shape[0]) * area / max(lit, 1.0)


def _counting_floor(found: "ObjectAndProbe", optics: "Optics") -> float:
    """The Fourier error of the truth when photons are counted."""
    import jax.numpy as jnp
    import numpy as np

    from lightwell_ptychography.judgement.comparison import projected
    from lightwell_ptychography.propagators import FarField, NearField

    image, probe = projected(np.asarray(found.object)), np.asarray(found.probe)
    way: FarField | NearField = FarField()
    if optics.near:
        way = NearField(
            optics.wavelength, optics.distance, (optics.object_row, optics.object_column)
        )
    places = np.rint(np.asarray(found.positions)).astype(int)
    last = np.asarray(image.shape) - np.asarray(probe.shape[-2:])
    noise = power = 0.0
    for row, column in np.clip(places[:: -(-len(places) // _FRAMES)], 0, last):
        window = image[row : row + probe.shape[-2], column : column + probe.shape[-1]]
        seen = (np.abs(np.asarray(way.forward(jnp.asarray(probe * window)))) ** 2).sum(axis=0)
        noise, power = noise + float(noise_of_roots(seen).sum()), power + float(seen.sum())
    return float(np.sqrt(noise / max(power, 1e-300)))
