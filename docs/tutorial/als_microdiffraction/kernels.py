"""The arithmetic: arrays in, arrays out."""

import jax.numpy as jnp
from jax import Array
from jax.ops import segment_sum


def ring_means(frames: Array, ring: Array, rings: int) -> Array:
    """Mean of each ring of each frame; 0 for a ring without pixels.

    frames : (point, y, x); ring : (y * x), `rings` where a pixel is on none; result : (point, ring)
    """
    pixels = frames.reshape(frames.shape[0], -1).T
    total = segment_sum(pixels, ring, rings + 1)[:rings]
    size = segment_sum(jnp.ones(len(ring)), ring, rings + 1)[:rings]
    return (total / jnp.maximum(size, 1.0)[:, None]).T
