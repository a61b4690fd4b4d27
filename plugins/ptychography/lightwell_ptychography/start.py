"""Start guesses made from the data: a blank object and a probe from the mean pattern.

In the near field the mean pattern is the probe's own image, blurred a little. In the far field it
gives the moduli of the probe's spectrum; of the phases the strongest, the defocus, is found by
trial: a few epochs on some frames for each of some candidates, and the least Fourier error wins.
"""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lightwell_ptychography.engines import rpie
from lightwell_ptychography.geometry import object_extent
from lightwell_ptychography.problem import Patterns, Reconstruction, amplitudes
from lightwell_ptychography.propagators import FarField, NearField

__all__ = [
    "Focus",
    "central_frames",
    "defocused",
    "find_focus",
    "first_guess",
    "mean_pattern",
    "probe_from_mean",
]

_DIAMETERS = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6)
_TRIAL_EPOCHS = 5
_FINAL_EPOCHS = 12
_FINALISTS = 4
_TRIAL_FRAMES = 64
_SIDE_MODE = 0.1


class Focus(NamedTuple):
    """What the search for the defocus found.

    defocus : wavelengths times distance over the squared object pixel; above 0 behind the focus
    probe   : (mode, y, x) complex64
    tried   : (candidate, 2) float64, each defocus that was tried long, and its Fourier error
    """

    defocus: float
    probe: Array
    tried: NDArray[np.float64]


def mean_pattern(patterns: Patterns) -> Array:
    """Counts (y, x) float32 of the mean frame; frames without any count are left out."""
    total = jnp.zeros(patterns.frame_shape, jnp.float32)
    seen = jnp.zeros((), jnp.float32)
    for first in range(0, patterns.count, 64):
        root, alive = amplitudes(patterns.frames[first : first + 64], patterns.mask, patterns.unit)
        total = total + (root**2).sum(axis=0)
        seen = seen + alive.any(axis=(-2, -1)).sum()
    return total / jnp.maximum(seen, 1.0)


def probe_from_mean(mean: Array, propagator: FarField | NearField, modes: int = 1) -> Array:
    """Probe (mode, y, x) complex64 whose diffraction, with a flat phase, is the mean pattern.

    mean : (y, x) float32, counts, in the order of `Patterns`

    Modes beyond the first are the first times a coordinate, weak, at right angles to it.
    """
    root = jnp.sqrt(jnp.maximum(mean, 0)).astype(jnp.complex64)
    probe = propagator.backward(root)
    if isinstance(propagator, FarField):
        probe = jnp.fft.fftshift(probe)
    return _with_side_modes(probe, modes)


def defocused(probe: Array, defocus: float) -> Array:
    """A probe : (mode, y, x) further along the beam, without evanescent or wrapped waves in mind.

    defocus : distance times wavelength over the squared object pixel
    """
    fy = np.fft.fftfreq(probe.shape[-2])[:, None]
    fx = np.fft.fftfreq(probe.shape[-1])[None, :]
    ramp = np.exp(-1j * np.pi * defocus * (fy**2 + fx**2)).astype(np.complex64)
    return jnp.fft.ifft2(jnp.fft.fft2(probe) * ramp)


def central_frames(positions: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Indices of the frames closest to the middle of the scan, which overlap most, in order."""
    place = np.asarray(positions, np.float64)
    away = np.linalg.norm(place - np.median(place, axis=0), axis=1)
    return np.sort(np.argsort(away, kind="stable")[:count])


def find_focus(
    patterns: Patterns, mean: Array, options: rpie.RPIEOptions | None = None, modes: int = 1
) -> Focus:
    """The far-field probe from the mean pattern, defocused as the frames like best.

    patterns : some frames that overlap, see `central_frames`; mean : (y, x) float32, counts
    options  : of the runs to come: where they refine positions, the trials do too
    """
    options = options or rpie.RPIEOptions()
    # Rounded positions are half the work; where they are to be refined, so are they here.
    refined = options.positions_from is not None
    options = dataclasses.replace(
        options,
        groups=((0, 8),),
        probe_from=1,
        positions_from=2 if refined else None,
        subpixel=refined,
    )
    sharp = probe_from_mean(mean, options.propagator)

    def trial(defocus: float, epochs: int) -> float:
        return _trial(patterns, defocused(sharp, defocus), options, epochs)

    unit = 0.5 * min(patterns.frame_shape) / _pupil_edge(np.asarray(mean, np.float64))
    coarse = [sign * unit * d for d in _DIAMETERS for sign in ((1, -1) if d else (1,))]
    first = sorted((trial(z, _TRIAL_EPOCHS), z) for z in coarse)
    # A few epochs mislead where positions are wrong: the best go on for longer.
    tried = [(z, trial(z, _FINAL_EPOCHS)) for _, z in first[:_FINALISTS]]
    best = min(tried, key=lambda pair: pair[1])[0]
    for width in (0.07, 0.03):
        around = [best - width * unit, best + width * unit]
        tried += [(z, trial(z, _FINAL_EPOCHS)) for z in around]
        best = min(tried, key=lambda pair: pair[1])[0]
    probe = _with_side_modes(defocused(sharp, best)[0], modes)
    return Focus(float(best), probe, np.array(tried))


def first_guess(
    patterns: Patterns,
    propagator: FarField | NearField,
    modes: int = 1,
    slices: int = 1,
    *,
    margin: int = 4,
    positions_from: int | None = None,
) -> Reconstruction:
    """Blank object, and a probe from the data, for these patterns.

    margin         : pixels of the object around the positions, which are moved into it
    positions_from : first epoch that will refine positions, None where they are right
    """
    shape, positions = object_extent(np.asarray(patterns.positions), patterns.frame_shape, margin)
    mean = mean_pattern(patterns)
    if isinstance(propagator, FarField):
        chosen = central_frames(positions, _TRIAL_FRAMES)
        some = dataclasses.replace(
            patterns, frames=patterns.frames[chosen], positions=jnp.asarray(positions[chosen])
        )
        options = rpie.RPIEOptions(propagator=propagator, positions_from=positions_from)
        probe = find_focus(some, mean, options, modes).probe
    else:
        probe = probe_from_mean(mean, propagator, modes)
    blank = jnp.ones((slices, *shape), jnp.complex64)
    return Reconstruction(blank, probe, jnp.asarray(positions))


def _trial(patterns: Patterns, probe: Array, options: rpie.RPIEOptions, epochs: int) -> float:
    """Fourier error after a few epochs that start at a probe and a blank object."""
    shape, positions = object_extent(np.asarray(patterns.positions), patterns.frame_shape)
    guess = Reconstruction(jnp.ones((1, *shape), jnp.complex64), probe, jnp.asarray(positions))
    state, error = rpie.init(patterns, guess, options), np.inf
    for epoch in range(epochs):
        state, metrics = rpie.update(state, patterns, epoch, options)
        error = float(metrics["fourier_error"])
    return error if np.isfinite(error) else np.inf


def _pupil_edge(mean: NDArray[np.float64]) -> float:
    """Radius, cycles per pixel, of the disc whose second moment is that of a mean pattern."""
    fy = np.fft.fftfreq(mean.shape[0])[:, None]
    fx = np.fft.fftfreq(mean.shape[1])[None, :]
    reach = np.sqrt(2 * (mean * (fy**2 + fx**2)).sum() / max(mean.sum(), 1e-30))
    return float(max(reach, 1 / min(mean.shape)))


def _with_side_modes(probe: Array, modes: int) -> Array:
    """The probe : (y, x) and weaker modes that vary across it, together of its power."""
    height, width = probe.shape
    y = (jnp.arange(height, dtype=jnp.float32) - height // 2)[:, None] / height
    x = (jnp.arange(width, dtype=jnp.float32) - width // 2)[None, :] / width
    made = [probe]
    for n in range(1, modes):
        # 1: y, 2: x, 3: y², 4: xy, 5: x², …
        degree = int((np.sqrt(8 * n + 1) - 1) / 2)
        across = n - degree * (degree + 1) // 2
        side = probe * y ** (degree - across) * x**across
        for known in made:
            side = side - known * (jnp.vdot(known, side) / (jnp.vdot(known, known) + 1e-30))
        power = jnp.sqrt((jnp.abs(probe) ** 2).sum() / ((jnp.abs(side) ** 2).sum() + 1e-30))
        made.append(side * power * jnp.float32(np.sqrt(_SIDE_MODE) ** n))
    probes = jnp.stack(made)
    total = (jnp.abs(probes) ** 2).sum() + 1e-30
    return probes * jnp.sqrt((jnp.abs(probe) ** 2).sum() / total).astype(jnp.complex64)
