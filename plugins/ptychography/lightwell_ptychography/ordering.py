"""The order in which frames are taken: from (seed, iteration) alone, so that runs can resume."""

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["cached_frames", "chunk_order", "tile_order"]

_CACHE = 2**20
_MOST_FRAMES = 8


def cached_frames(probe_shape: tuple[int, ...]) -> int:
    """Frames whose exit waves take about a mebibyte: several such arrays live at once.

    probe_shape : (mode, y, x)

    >>> cached_frames((1, 128, 128)), cached_frames((3, 256, 256))
    (8, 1)
    """
    modes, height, width = probe_shape
    return max(1, min(_MOST_FRAMES, _CACHE // (8 * modes * height * width)))


def _key(seed: int, iteration: Array | int, purpose: Array | int) -> Array:
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), purpose), iteration)


def tile_order(tiles: int, seed: int, iteration: Array | int) -> Array:
    """Order (tile,) in which the tiles of a streamed epoch are taken."""
    return jax.random.permutation(_key(seed, iteration, 0), tiles)


def chunk_order(
    frames: int, chunk: int, seed: int, iteration: Array | int, first: Array | int = 0
) -> tuple[Array, Array]:
    """Frames of each chunk of a tile: ((chunk, frame) int32, (chunk, frame) float32).

    first : index of the tile's first frame in the data set, so that every tile has its own order

    The last chunk is filled up with frames of weight 0.
    """
    order = jax.random.permutation(_key(seed, iteration, jnp.asarray(first) + 1), frames)
    chunks = -(-frames // chunk)
    place = jnp.arange(chunks * chunk)
    indices = order[jnp.minimum(place, frames - 1)].astype(jnp.int32)
    weights = (place < frames).astype(jnp.float32)
    return indices.reshape(chunks, chunk), weights.reshape(chunks, chunk)
