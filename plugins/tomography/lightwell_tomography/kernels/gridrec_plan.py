"""Tables of the gridding reconstruction for one scan geometry, built once on the host."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightwell_numerics.fft_sizes import fast_length
from lightwell_numerics.gather_sums import join_tables, piece_layout, split_tables
from lightwell_numerics.gridding import (
    SpreadingKernel,
    kernel_transform,
    kernel_values,
    spreading_kernel,
)

__all__ = ["Filter", "GridrecPlan", "angle_weights", "gridrec_plan", "ramp_filter"]

Filter = Literal["ramlak", "hann"]

_PIECE_LENGTHS = (8, 16, 24, 32, 48)
_JOIN_LENGTHS = (2, 4, 8, 32)
_TILE = 16
_WIDEST_GAP = 10.0


class GridrecPlan(NamedTuple):
    """Everything the reconstruction of one scan geometry needs; pass it to jit as an argument.

    coefficients : (angle, frequency) complex64, filter x quadrature weight x shift to the axis
    side         : (angle,) float32, -1 where the spectrum is entered as its conjugate
    indices      : tables (piece, term) int32 of samples, angle x frequencies + frequency
    weights      : tables (piece, term) float32, spreading kernel, its sign centring the image
    joins        : per level, tables (piece, term) int32 of pieces of the level below
    node         : (ky, kx) int32, row of each node of the half plane of the grid
    mirror       : (ky, strip) int32, row of the Hermitian partner of the first and last columns
    deapodisation: (x,) float32, 1 / transform of the spreading kernel, with the scale of the FFT
    """

    coefficients: NDArray[np.complex64]
    side: NDArray[np.float32]
    indices: tuple[NDArray[np.int32], ...]
    weights: tuple[NDArray[np.float32], ...]
    joins: tuple[tuple[NDArray[np.int32], ...], ...]
    node: NDArray[np.int32]
    mirror: NDArray[np.int32]
    deapodisation: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Bytes of all tables together."""
        joins = [table for level in self.joins for table in level]
        tables = [*self.indices, *self.weights, *joins, self.node, self.mirror]
        return sum(t.nbytes for t in tables) + self.coefficients.nbytes + self.deapodisation.nbytes


def gridrec_plan(
    angles: ArrayLike,
    width: int,
    rotation_axis: float,
    filter: Filter = "ramlak",
    support: int = 4,
    oversampling: float = 1.25,
) -> GridrecPlan:
    """Tables to reconstruct slices of `width` pixels from projections at `angles`.

    angles        : (angle,) float64, degree; any order, any range, taken modulo 180
    rotation_axis : pixel, 0 at the centre of the first pixel
    support       : width of the spreading kernel, grid cells, even
    oversampling  : grid cells per pixel

    Raises ValueError for no angles, non-finite angles, or an axis outside the detector.

    Source: J. D. O'Sullivan, "A fast sinc function gridding algorithm for Fourier inversion in
    computer tomography", IEEE Trans. Med. Imaging 4, 200 (1985); the ramp in real space:
    A. C. Kak and M. Slaney, "Principles of Computerized Tomographic Imaging", eq. (3.61).
    """
    degrees = np.asarray(angles, np.float64)
    _check(degrees, width, rotation_axis)
    kernel = spreading_kernel(support, oversampling)
    reach = max(rotation_axis, width - 1 - rotation_axis)
    length = fast_length(int(np.ceil(width + 2.0 * reach)) + 1)
    grid = fast_length(max(int(np.ceil(oversampling * width)), 4 * support))
    theta = np.deg2rad(np.mod(degrees, 360.0))
    # A spectrum in the left half plane is entered as its conjugate in the right one.
    side = np.where(np.cos(theta) < 0.0, -1.0, 1.0)
    frequency = np.arange(length // 2 + 1) * (grid / length)
    kx = np.outer(side * np.cos(theta), frequency)
    ky = np.outer(side * np.sin(theta), frequency)
    indices, weights, joins, node, mirror = _grid_tables(kx, ky, grid, kernel)
    return GridrecPlan(
        coefficients=_coefficients(theta, width, rotation_axis, length, filter),
        side=side.astype(np.float32),
        indices=indices,
        weights=weights,
        joins=joins,
        node=node,
        mirror=mirror,
        deapodisation=_deapodisation(kernel, width, grid),
    )


def angle_weights(angles: ArrayLike) -> NDArray[np.float64]:
    """Quadrature weights of projections: half the gap to either neighbour modulo 180, in radian.

    angles : (angle,) float64, degree

    Repeated angles share their weight, so the weights of a full coverage add up to pi. A gap more
    than ten times the mean one is a hole in the coverage; it counts as the widest other gap.
    """
    folded = np.mod(np.asarray(angles, np.float64), 180.0)
    order = np.argsort(folded, kind="stable")
    ascending = folded[order]
    gaps = np.append(np.diff(ascending), 180.0 - (ascending[-1] - ascending[0]))
    if gaps.size > 1:
        hole = gaps > _WIDEST_GAP * 180.0 / gaps.size
        gaps[hole] = gaps[~hole].max()
    weights = np.empty_like(gaps)
    weights[order] = np.deg2rad(0.5 * (gaps + np.roll(gaps, 1)))
    return weights


def ramp_filter(length: int, filter: Filter) -> NDArray[np.float64]:
    """Transfer function (frequency,) of the band-limited ramp on `length` samples, 1 / pixel.

    The ramp is transformed from its samples in real space, so that its mean is exact and a
    reconstruction shows no offset; "hann" multiplies a raised cosine that ends at zero.
    """
    distance = np.minimum(np.arange(length), length - np.arange(length))
    taps = np.zeros(length)
    taps[0] = 0.25
    odd = distance % 2 == 1
    taps[odd] = -1.0 / np.square(np.pi * distance[odd])
    ramp = np.asarray(np.fft.rfft(taps).real)
    if filter == "ramlak":
        return ramp
    if filter == "hann":
        return ramp * (0.5 + 0.5 * np.cos(np.pi * np.arange(ramp.size) / (ramp.size - 1)))
    raise ValueError(f'unknown filter "{filter}"; known are "ramlak" and "hann"')


def _check(degrees: NDArray[np.float64], width: int, rotation_axis: float) -> None:
    if degrees.ndim != 1 or degrees.size == 0:
        raise ValueError("a reconstruction needs a list of at least one angle")
    if not np.isfinite(degrees).all():
        raise ValueError("some angles are not finite numbers")
    if not 0.0 <= rotation_axis <= width - 1:
        where = f"pixel {rotation_axis} lies outside the detector of {width} pixels"
        raise ValueError(f"the rotation axis at {where}")


def _coefficients(
    theta: NDArray[np.float64], width: int, rotation_axis: float, length: int, filter: Filter
) -> NDArray[np.complex64]:
    weight = np.outer(angle_weights(np.rad2deg(theta)), ramp_filter(length, filter)) / length
    # Both ends of the half spectrum stand for themselves and for their mirror image.
    weight[:, [0, -1]] *= 0.5
    # With an even width the centre of the image lies between two nodes of the transform.
    half = 0.0 if width % 2 else 0.5
    shift = rotation_axis + half * (np.cos(theta) + np.sin(theta))
    turns = np.outer(shift, np.arange(length // 2 + 1)) / length
    return np.asarray(weight * np.exp(2j * np.pi * np.mod(turns, 1.0)), np.complex64)


def _deapodisation(kernel: SpreadingKernel, width: int, grid: int) -> NDArray[np.float32]:
    transform = kernel_transform(kernel, (np.arange(width) - width // 2) / grid)
    return np.asarray(grid / transform, np.float32)


def _grid_tables(
    kx: NDArray[np.float64], ky: NDArray[np.float64], grid: int, kernel: SpreadingKernel
) -> tuple[
    tuple[NDArray[np.int32], ...],
    tuple[NDArray[np.float32], ...],
    tuple[tuple[NDArray[np.int32], ...], ...],
    NDArray[np.int32],
    NDArray[np.int32],
]:
    """Lists of samples per node of the half plane, which is wider by half a kernel on each side."""
    half = kernel.support // 2
    columns = grid // 2 + 1 + 2 * half
    first_x, first_y = _first_node(kx, half), _first_node(ky, half)
    cell = (np.mod(first_y, grid) * columns + first_x + half).ravel()
    sample = np.argsort(cell, kind="stable")
    cell = cell[sample]
    per_cell = np.bincount(cell, minlength=grid * columns)
    rank = np.arange(cell.size) - (np.cumsum(per_cell) - per_cell)[cell]
    steps = [dy * columns + dx for dy in range(2 * half) for dx in range(2 * half)]
    terms = sum(np.roll(per_cell, step) for step in steps)
    order = _tile_order(grid, columns)
    layout = piece_layout(np.asarray(terms), _PIECE_LENGTHS, order)
    size = sum(n * k for n, k in zip(layout.rows, layout.lengths, strict=True))
    index, weight = np.zeros(size, np.int32), np.zeros(size, np.float32)
    along_x = _signed_weights(kx, first_x, kernel, sample)
    along_y = _signed_weights(ky, first_y, kernel, sample)
    filled = np.zeros(grid * columns, np.int64)
    for number, step in enumerate(steps):
        target = np.mod(cell + step, grid * columns)
        slot = layout.slot(target, filled[target] + rank)
        index[slot] = sample
        weight[slot] = along_y[number // (2 * half)] * along_x[number % (2 * half)]
        filled += np.roll(per_cell, step)
    joins, result = join_tables(layout, _JOIN_LENGTHS, order)
    node, mirror = _half_plane(result.reshape(grid, columns), half)
    return split_tables(index, layout), split_tables(weight, layout), joins, node, mirror


def _first_node(frequency: NDArray[np.float64], half: int) -> NDArray[np.int64]:
    return np.floor(frequency).astype(np.int64) - half + 1


def _signed_weights(
    frequency: NDArray[np.float64],
    first: NDArray[np.int64],
    kernel: SpreadingKernel,
    sample: NDArray[np.int64],
) -> list[NDArray[np.float32]]:
    # The sign of odd nodes moves the image to the middle of the transform's output.
    frequency, first = frequency.ravel()[sample], first.ravel()[sample]
    sign = np.where(first % 2 == 1, -1.0, 1.0)
    return [
        (kernel_values(kernel, first + n - frequency) * sign * (-1.0) ** n).astype(np.float32)
        for n in range(kernel.support)
    ]


def _tile_order(rows: int, columns: int) -> NDArray[np.int64]:
    # Nodes of a small tile share samples; laying them out together keeps those in cache.
    y, x = np.divmod(np.arange(rows * columns), columns)
    tile = (y // _TILE) * (columns // _TILE + 1) + x // _TILE
    return np.argsort(tile, kind="stable")


def _half_plane(
    result: NDArray[np.int32], half: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    opposite = np.roll(result[::-1], 1, axis=0)
    left = opposite[:, half::-1]
    right = opposite[:, : -half - 2 : -1]
    node = np.ascontiguousarray(result[:, half : result.shape[1] - half])
    return node, np.ascontiguousarray(np.concatenate([left, right], axis=1))
