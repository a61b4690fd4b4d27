"""Modes of a partially coherent probe: any unitary mixture of them makes the same patterns."""

import jax.numpy as jnp
from jax import Array

__all__ = ["mode_powers", "orthogonalised"]


def orthogonalised(probe: Array) -> Array:
    """The same illumination in modes at right angles, strongest first.

    probe : (mode, y, x) complex64. Every mode keeps its phase as far as it can: its overlap with
    the old mode it holds most of is real and positive.
    Source: P. Thibault and A. Menzel, Nature 494, 68 (2013).
    """
    if probe.shape[0] == 1:
        return probe
    flat = probe.reshape(probe.shape[0], -1)
    scale = jnp.sqrt((jnp.abs(flat) ** 2).sum()) + jnp.float32(1e-30)
    overlaps = (flat / scale) @ (flat / scale).conj().T
    _, vectors = jnp.linalg.eigh(overlaps)
    mixture = vectors[:, ::-1].conj().T
    largest = jnp.take_along_axis(mixture, jnp.abs(mixture).argmax(axis=1)[:, None], axis=1)
    mixture = mixture * largest.conj() / jnp.abs(largest)
    straight: Array = mixture @ flat
    return straight.reshape(probe.shape)


def mode_powers(probe: Array) -> Array:
    """Share (mode,) float32 of every mode in the power of a probe : (mode, y, x)."""
    power = (jnp.abs(probe) ** 2).sum(axis=(-2, -1))
    return power / jnp.maximum(power.sum(), jnp.float32(1e-30))
