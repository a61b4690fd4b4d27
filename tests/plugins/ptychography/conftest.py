"""Small simulated scans for the algorithms, from the simulator's own forward model."""

import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.forward import Optics, Sample, counted
from lightwell_ptychography.judgement.comparison import object_error
from lightwell_ptychography.phantoms import scan_path
from lightwell_ptychography.problem import Patterns, Reconstruction
from lightwell_ptychography.propagators import FarField, NearField

MARGIN = 6


@dataclasses.dataclass(frozen=True)
class Scan:
    """A simulated scan with its truth."""

    patterns: Patterns
    propagator: FarField | NearField
    between: NearField
    object: np.ndarray
    probe: np.ndarray
    lit: np.ndarray
    beam: np.ndarray

    @property
    def blank(self):
        """Object without contrast, of the size that positions may move in."""
        height, width = (side + MARGIN for side in self.object.shape[-2:])
        return jnp.ones((len(self.object), height, width), jnp.complex64)

    def near_guess(self, defocus=0.9):
        """Blank object and the true probe, its spectrum bent: what a rough calibration knows."""
        spectrum = np.fft.fft2(self.probe)
        side = self.probe.shape[-1]
        reach = np.fft.fftfreq(side)[:, None] ** 2 + np.fft.fftfreq(side)[None] ** 2
        bend = np.exp(1j * np.pi * defocus * 10 * reach)
        probe = jnp.asarray(np.fft.ifft2(spectrum * bend), jnp.complex64)
        return Reconstruction(self.blank, probe, self.patterns.positions)

    def error(self, found):
        """Object error of a reconstruction."""
        return object_error(np.asarray(found.object), self.object, self.lit, self.probe)


@functools.cache
def simulated(
    side=48,
    count=64,
    *,
    step=0.1,
    photons=3e5,
    modes=1,
    slices=1,
    position_error=0.0,
    field="far",
    background=0.0,
    fluctuation=0.0,
    dead=0,
    aperture=0.33,
    spacing=5e-6,
    seed=0,
):
    """A raster scan in memory."""
    rng = np.random.default_rng(seed)
    wavelength, far = 1.55e-10, field == "far"
    distance, detector_pixel = (2.0, 75e-6) if far else (0.2, 1e-6)
    pixel = wavelength * distance / (side * detector_pixel) if far else detector_pixel
    optics = Optics(side, wavelength, pixel, distance, field, spacing, 0.0)
    told = scan_path(count, step * side, "raster", 0.3, rng) + MARGIN + position_error
    lit = told + rng.uniform(-position_error, position_error, told.shape)
    shares = 0.25 ** np.arange(modes)
    sample = Sample.drawn(optics, lit, shares / shares.sum(), slices, aperture, 0.4, rng)
    sample.probe *= math.sqrt(photons / sample.mean_power(optics, lit))
    beam = np.maximum(1 + fluctuation * rng.standard_normal(count), 0.0)
    out = rng.permutation(side * side)[:dead]
    frames = np.concatenate(list(counted(sample, optics, lit, beam, background, out, rng)))
    mask = np.ones(side * side, bool)
    mask[out] = False
    mask = mask.reshape(side, side)
    if far:
        frames = np.fft.ifftshift(frames, axes=(1, 2))
        mask = np.fft.ifftshift(mask)
    frames = frames.astype(np.float32)
    patterns = Patterns(jnp.asarray(frames), jnp.asarray(mask), jnp.asarray(told, jnp.float32))
    return Scan(
        patterns,
        FarField() if far else NearField(wavelength, distance, (pixel, pixel)),
        NearField(wavelength, spacing, (pixel, pixel)),
        sample.layers,
        sample.probe,
        lit,
        beam,
    )


@pytest.fixture(scope="session")
def scan_of():
    """The function that simulates a scan; equal scans are made once."""
    return simulated
