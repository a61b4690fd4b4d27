"""What all frames together say about the scan as a whole: that it is stretched, turned, sheared.

What every frame asks for on its own hardly moves a scan as a whole, since the object holds it where
it is; and a stretched scan, a defocused probe and an object in another plane together make nearly
the same patterns. So what belongs together is moved together, by Gauss-Newton on ten numbers: the
four of the matrix that takes the scan to where it is, the object going along; three of the phase of
the probe's pupil; three of the plane of the object. Counts are compared and not their roots, which
lean to one side where photons are few: this side would look like a stretch.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from lightwell_ptychography.exit_waves import Illuminated
from lightwell_ptychography.propagators import Propagator

__all__ = ["Judged", "Whole", "no_votes", "stretched", "voted", "without_stretch"]

_NUMBERS = 10
_RIDGE = 1e-4
# Of a pixel, at the edge of the scan: as far as slopes of the object are good for.
_LONGEST = 0.5
# Of the spread of the scan: what a scan along one line says about the direction across it.
_SPREAD_RIDGE = 1e-4


class Judged(NamedTuple):
    """Frames of a chunk, and what was modelled.

    spectrum : (frame, mode, y, x) complex64, of `Propagator.spectrum`; modelled, counts : (frame,
    y, x) float32; alive : (frame, y, x) float32, weights
    """

    spectrum: Array
    modelled: Array
    counts: Array
    alive: Array


class Whole(NamedTuple):
    """What is stretched: (slice, y, x), (mode, y, x), and positions and those told, (frame, 2)."""

    object: Array
    probe: Array
    positions: Array
    told: Array


def no_votes() -> Array:
    """Normal equations (10, 11) float32, right side last, that no frame has contributed to."""
    return jnp.zeros((_NUMBERS, _NUMBERS + 1), jnp.float32)


def voted(seen: Illuminated, positions: Array, judged: Judged, propagator: Propagator) -> Array:
    """What a chunk contributes to the normal equations, (10, 11) float32.

    seen : of a thin object; positions : (frame, 2) pixels. One frame after the other: ten waves of
    one are enough in memory.
    """
    parts = seen.waves[0], seen.patches[0][:, 0], seen.ramps, positions - seen.corners, judged

    def one(xs: tuple[Array, Array, Array | None, Array, Judged]) -> Array:
        wave, patch, ramps, part, judged = xs
        spectra = propagator.spectrum(_tangents(wave, patch, part), ramps)
        change = (judged.spectrum.conj() * spectra).real.sum(axis=1)
        change = change * (1 / propagator.gain(patch.shape) ** 2)
        # One over the spread of a count; one more, so that no dark pixel counts for much.
        weight = judged.alive * lax.rsqrt(judged.modelled + 1)
        change = (change * weight).reshape(_NUMBERS, -1)
        rest = (0.5 * (judged.counts - judged.modelled) * weight).reshape(1, -1)
        normal: Array = change @ jnp.concatenate([change, rest]).T
        return normal

    total: Array = lax.map(one, parts).sum(axis=0)
    return total


def stretched(whole: Whole, votes: Array) -> Whole:
    """A scan with its object and probe moved as the votes ask, half a pixel at its edge at most."""
    size = jnp.sqrt(jnp.diagonal(votes))
    size = jnp.where(size > 0, size, 1.0)
    normal = votes[:, :_NUMBERS] / size[:, None] / size
    asked = jnp.linalg.solve(normal + _RIDGE * jnp.eye(_NUMBERS), votes[:, _NUMBERS] / size) / size
    asked = jnp.where(jnp.isfinite(asked).all(), asked, 0.0)
    middle = whole.positions.mean(axis=0)
    reach = jnp.abs((whole.positions - middle) @ asked[:4].reshape(2, 2).T).max()
    asked = asked * jnp.minimum(1.0, _LONGEST / jnp.maximum(reach, 1e-30))
    matrix = asked[:4].reshape(2, 2)

    def moved(places: Array) -> Array:
        return places + (places - middle) @ matrix.T

    frame = whole.probe.shape[-2:]
    centre = middle + jnp.array([side // 2 for side in frame], jnp.float32)
    phase = jnp.einsum("n,nyx->yx", asked[4:7], jnp.stack(_pupil(frame)))
    turned = lax.complex(jnp.cos(phase), jnp.sin(phase))
    return Whole(
        _resampled(whole.object[0], matrix, asked[7:], centre)[None],
        jnp.fft.ifft2(jnp.fft.fft2(whole.probe) * turned),
        moved(whole.positions),
        moved(whole.told),
    )


def without_stretch(positions: Array, told: Array) -> Array:
    """Positions (frame, 2) that differ from those told by anything but an affine map.

    Patterns hardly tell a stretched scan from a defocused probe: what frames ask for each on its
    own would drift along this valley for hundreds of epochs.
    """
    return positions - _affine_part(positions, told)


def _tangents(wave: Array, patch: Array, part: Array) -> Array:
    """How the exit wave (10, mode, y, x) changes with each of the numbers.

    wave : (mode, y, x), the probe; patch : (y, x), of the object; part : (2,), of a pixel, by which
    the probe is off its window's middle.
    """
    frame = patch.shape
    y, x = _offsets(frame, [side // 2 + p for side, p in zip(frame, part, strict=True)])
    down, across, bends = _derivatives(patch)
    moved = [-down * y, -down * x, -across * y, -across * x]
    spectrum = jnp.fft.fft2(wave)
    bent = jnp.fft.ifft2(1j * jnp.stack(_pupil(frame))[:, None] * spectrum)
    return jnp.concatenate(
        [
            jnp.stack(moved)[:, None] * wave,
            bent * patch,
            1j * jnp.stack(bends)[:, None] * wave,
        ]
    )


def _resampled(image: Array, matrix: Array, plane: Array, centre: Array) -> Array:
    """An object (y, x) stretched about a place, and taken to another plane, to first order."""
    y, x = _offsets(image.shape, list(centre))
    down, across, bends = _derivatives(image)
    rows, columns = matrix[0, 0] * y + matrix[0, 1] * x, matrix[1, 0] * y + matrix[1, 1] * x
    bent = jnp.einsum("n,nyx->yx", plane, jnp.stack(bends))
    moved: Array = image - rows * down - columns * across + 1j * bent
    return moved


def _offsets(shape: tuple[int, ...], origin: list[Array]) -> tuple[Array, Array]:
    """Rows (y, 1) and columns (1, x) from a place."""
    y, x = (jnp.arange(side, dtype=jnp.float32) for side in shape)
    return y[:, None] - origin[0], x[None, :] - origin[1]


def _pupil(frame: tuple[int, ...]) -> list[Array]:
    """Second powers of the frequencies (y, x), in cycles per pixel."""
    fy, fx = (jnp.fft.fftfreq(side).astype(jnp.float32) for side in frame[-2:])
    y, x = jnp.broadcast_arrays(fy[:, None], fx[None, :])
    return [y**2, x**2, 2 * y * x]


def _derivatives(image: Array) -> tuple[Array, Array, list[Array]]:
    """Slopes along rows and columns of an image (y, x), and its second derivatives; 0 at edges."""
    y, x = (jnp.arange(side) for side in image.shape)
    inside = ((y > 0) & (y < len(y) - 1))[:, None] & ((x > 0) & (x < len(x) - 1))

    def slope(image: Array, axis: int) -> Array:
        return 0.5 * (jnp.roll(image, -1, axis) - jnp.roll(image, 1, axis))

    def bend(axis: int) -> Array:
        return jnp.roll(image, -1, axis) + jnp.roll(image, 1, axis) - 2 * image

    down, across = slope(image, 0), slope(image, 1)
    bends = [bend(0), bend(1), slope(down, 1)]
    return inside * down, inside * across, [inside * one for one in bends]


def _affine_part(positions: Array, told: Array) -> Array:
    """The affine part (frame, 2) of what positions : (frame, 2) differ by from those told."""
    about = told - told.mean(axis=0)
    away = positions - told
    moved = away.mean(axis=0)
    spread = about.T @ about
    ridge = (_SPREAD_RIDGE * jnp.trace(spread) + 1e-6) * jnp.eye(2, dtype=spread.dtype)
    matrix = jnp.linalg.solve(spread + ridge, about.T @ (away - moved))
    affine: Array = moved + about @ matrix
    return affine
