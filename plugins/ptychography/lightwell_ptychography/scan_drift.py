"""What refined positions share: a scan that is moved, stretched, turned or sheared as a whole."""

import jax.numpy as jnp
from jax import Array

__all__ = ["stretch", "without_stretch"]

# Of the spread of the scan: what a scan along one line says about the direction across it.
_RIDGE = 1e-4


def stretch(positions: Array, told: Array) -> Array:
    """The affine part (frame, 2) of what positions : (frame, 2) differ by from those told."""
    about = told - told.mean(axis=0)
    away = positions - told
    moved = away.mean(axis=0)
    spread = about.T @ about
    ridge = (_RIDGE * jnp.trace(spread) + 1e-6) * jnp.eye(2, dtype=spread.dtype)
    matrix = jnp.linalg.solve(spread + ridge, about.T @ (away - moved))
    affine: Array = moved + about @ matrix
    return affine


def without_stretch(positions: Array, told: Array) -> Array:
    """Positions (frame, 2) that differ from those told by anything but an affine map.

    Patterns hardly tell a stretched scan from a defocused probe: what frames ask for each on its
    own would drift along this valley for hundreds of epochs.
    """
    return positions - stretch(positions, told)
