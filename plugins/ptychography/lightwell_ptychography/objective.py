"""The likelihood of a whole reconstruction and its gradient, by automatic differentiation."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lightwell_ptychography.devices import shared_out
from lightwell_ptychography.exit_waves import illuminate, intensity
from lightwell_ptychography.likelihood import Likelihood, judge, loss
from lightwell_ptychography.ordering import cached_frames
from lightwell_ptychography.problem import Patterns, Reconstruction, amplitudes
from lightwell_ptychography.propagators import FarField, NearField

__all__ = [
    "Model",
    "Valued",
    "in_chunks",
    "modelled_counts",
    "value_and_gradient",
]


@dataclasses.dataclass(frozen=True)
class Model:
    """Which physics a reconstruction is judged by; hashable.

    propagator : from the object to the detector
    between    : from slice to slice of a thick object, None for a thin one
    likelihood : "amplitude" or "poisson"
    subpixel   : move the probe by fractions of a pixel; without, positions are rounded
    """

    propagator: FarField | NearField = dataclasses.field(default_factory=FarField)
    between: NearField | None = None
    likelihood: Likelihood = "amplitude"
    subpixel: bool = True


class Valued(NamedTuple):
    """Loss, its steepest ascent by every estimate, and the parts of the Fourier error.

    gradient : as the reconstruction; of complex arrays the direction of steepest ascent, that is
               the derivative by the real part plus i times that by the imaginary part
    """

    loss: Array
    gradient: Reconstruction
    residual: Array
    power: Array


def modelled_counts(found: Reconstruction, members: Array, model: Model) -> Array:
    """Counts (frame, y, x) float32 that a reconstruction expects in these frames."""
    seen = illuminate(
        found.object,
        found.probe,
        found.positions[members],
        subpixel=model.subpixel,
        between=model.between,
    )
    counts = intensity(model.propagator.forward(seen.exit, seen.ramps))
    if found.background is not None:
        counts = counts + found.background
    if found.intensity is not None:
        counts = counts * found.intensity[members][:, None, None]
    return counts


def in_chunks(
    frames: int, probe_shape: tuple[int, ...], chunk: int | None = None
) -> tuple[Array, Array]:
    """All frames in order: ((chunk, frame) int32, (chunk, frame) float32), filled by weight 0."""
    size = chunk or cached_frames(probe_shape)
    place = jnp.arange(-(-frames // size) * size)
    members = jnp.minimum(place, frames - 1).astype(jnp.int32).reshape(-1, size)
    return members, (place < frames).astype(jnp.float32).reshape(-1, size)


def value_and_gradient(
    found: Reconstruction,
    patterns: Patterns,
    model: Model,
    order: Array,
    weights: Array,
    indices: Array | None = None,
    *,
    devices: int = 1,
) -> Valued:
    """Loss over frames and its gradient, chunk by chunk, the chunks shared out among devices.

    order, weights : (chunk, frame), of frames in patterns; see `in_chunks`
    indices        : (frame,) int32, of patterns' frames in the data set, where it is a tile
    devices        : each holds all of the patterns, and works on some

    Errors: ParameterError where there are not so many devices.
    """
    missing = -order.shape[0] % devices
    order = jnp.pad(order, ((0, missing), (0, 0)))
    weights = jnp.pad(weights, ((0, missing), (0, 0)))
    where = jnp.arange(patterns.count) if indices is None else indices

    def work(
        whole: tuple[Reconstruction, Patterns, Array], chunks: tuple[Array, Array]
    ) -> tuple[Valued, tuple[()]]:
        return _ascended(*whole, model, *chunks), ()

    return shared_out(devices, work, (found, patterns, where), (order, weights))[0]


def _ascended(
    found: Reconstruction,
    patterns: Patterns,
    indices: Array,
    model: Model,
    order: Array,
    weights: Array,
) -> Valued:
    """Loss over frames and its steepest ascent, on one device."""

    def chunk_loss(
        found: Reconstruction, members: Array, weight: Array
    ) -> tuple[Array, tuple[Array, Array]]:
        frames = patterns.frames[members]
        measured, alive = amplitudes(frames, patterns.mask, patterns.unit)
        alive = alive * weight[:, None, None]
        counts = modelled_counts(found, indices[members], model)
        judged = judge(lax.stop_gradient(counts), measured, alive)
        value = loss(counts, measured, alive, model.likelihood)
        return value, (judged.residual.sum(), judged.power.sum())

    ascent = jax.value_and_grad(chunk_loss, has_aux=True)

    def one(total: Valued, xs: tuple[Array, Array]) -> tuple[Valued, None]:
        (value, (residual, power)), slope = ascent(found, *xs)
        summed = jax.tree.map(jnp.add, total.gradient, slope)
        return Valued(
            total.loss + value, summed, total.residual + residual, total.power + power
        ), None

    zero = jnp.zeros((), jnp.float32)
    none = Valued(zero, jax.tree.map(jnp.zeros_like, found), zero, zero)
    total, _ = lax.scan(one, none, (order, weights))
    # The derivative of JAX is the conjugate of the steepest ascent.
    return total._replace(gradient=jax.tree.map(jnp.conj, total.gradient))
