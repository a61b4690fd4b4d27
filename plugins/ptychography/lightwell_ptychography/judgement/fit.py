"""How well a reconstruction explains its frames, and how well any could that count photons."""

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell_ptychography.problem import Patterns, Reconstruction
    from lightwell_ptychography.propagators import FarField, NearField

__all__ = ["Fit", "fourier_fit", "noise_of_roots"]

_CHUNK = 32


@dataclasses.dataclass(frozen=True)
class Fit:
    """What is left of the frames.

    error : root of the summed squares of amplitude differences over those of the amplitudes;
    floor : the same of the true object, on average, when photons are counted; None where frames
    hold no counts; frames : (frame,) the error of each, not a number where nothing was counted.
    """

    error: float
    floor: float | None
    frames: "NDArray[Any]"


def fourier_fit(
    patterns: "Patterns",
    found: "Reconstruction",
    propagator: "FarField | NearField",
    *,
    between: "NearField | None" = None,
    subpixel: bool = True,
) -> Fit:
    """Compare the frames with those that a reconstruction makes, few at a time.

    between : from slice to slice of a thick object; subpixel : as the algorithm had it.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from lightwell_ptychography.exit_waves import illuminate, intensity
    from lightwell_ptychography.problem import amplitudes

    @jax.jit
    def compared(frames: Any, positions: Any, factor: Any) -> Any:
        seen = illuminate(found.object, found.probe, positions, subpixel=subpixel, between=between)
        expected = intensity(propagator.forward(seen.exit, seen.ramps)) * factor[:, None, None]
        if found.background is not None:
            expected = expected + found.background
        root, alive = amplitudes(frames, patterns.mask, patterns.unit)
        rest = alive * (root - jnp.sqrt(expected)) ** 2
        found_of = (rest, alive * root**2, alive * _noise(expected))
        return tuple(part.sum(axis=(1, 2)) for part in found_of)

    factors = found.intensity
    weights = jnp.ones(patterns.count, jnp.float32) if factors is None else factors
    parts = []
    for first in range(0, patterns.count, _CHUNK):
        chosen = slice(first, first + _CHUNK)
        parts.append(
            [
                np.asarray(part, np.float64)
                for part in compared(
                    patterns.frames[chosen], found.positions[chosen], weights[chosen]
                )
            ]
        )
    rest, power, noise = (np.concatenate(list(part)) for part in zip(*parts, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.sqrt(rest / power)
    total = max(float(power.sum()), 1e-300)
    floor = float(np.sqrt(noise.sum() / total)) if patterns.unit == "count" else None
    return Fit(float(np.sqrt(rest.sum() / total)), floor, each)


def noise_of_roots(counts: Any) -> "NDArray[Any]":
    """Expected squared deviation of the root of a Poisson count from the root of its mean.

    counts : any shape, the mean. About the mean itself where it is small, a quarter where it is
    large.

    >>> [round(float(noise), 2) for noise in noise_of_roots([0.0, 1.0, 100.0])]
    [0.0, 0.45, 0.25]
    """
    import numpy as np

    return np.asarray(_noise(np.asarray(counts, np.float32)))


def _noise(counts: Any) -> Any:
    """By interpolation over the root of the mean, of sums over all counts that matter."""
    import jax.numpy as jnp
    import numpy as np

    roots, values = _noise_table()
    return jnp.interp(
        jnp.sqrt(jnp.maximum(counts, 0)), jnp.asarray(roots), jnp.asarray(values, np.float32)
    )


def _noise_table() -> "tuple[NDArray[Any], NDArray[Any]]":
    import numpy as np

    roots = np.linspace(0.0, 10.0, 201)
    count = np.arange(256)
    logarithm = np.concatenate([[0.0], np.cumsum(np.log(count[1:]))])
    mean = np.maximum(roots[:, None] ** 2, 1e-12)
    chance = np.exp(count * np.log(mean) - mean - logarithm)
    return roots.astype(np.float32), (chance * (np.sqrt(count) - roots[:, None]) ** 2).sum(axis=1)
