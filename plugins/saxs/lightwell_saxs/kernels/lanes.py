"""Sums over bins of sixteen frames at once, compiled for processors by numba.

Each pixel is read once, in order; sixteen frames are transposed in a small buffer, and every share
of the pixel is one multiplication and addition of sixteen numbers. The vector is written out,
since LLVM would otherwise ask at run time, entry by entry, whether the arrays overlap.

Sums are float32 for a stretch of pixels and then added to double precision.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = [
    "LANES",
    "scatter_dummies",
    "scatter_given",
    "scatter_plain",
    "scatter_spread",
]

LANES = 16
_WINDOW = 64
_WINDOWS = 512

_FLAGS = ("fast",)
# Not fastmath: it lets the compiler assume that nothing is NaN, which dummies rely on.
_OPTIONS: Any = {"nogil": True, "error_model": "numpy", "boundscheck": False, "cache": True}

F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    return cast(F, njit(**_OPTIONS)(function))


def _vector_code(typingctx: Any, total: Any, at: Any, source: Any, begin: Any, factor: Any) -> Any:
    """Add factor · source[begin : begin + 16] to total[at : at + 16]."""
    signature = types.void(total, at, source, begin, factor)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), LANES)

        def pointer(array: Any, kind: Any, index: Any) -> Any:
            data = context.make_array(kind)(context, builder, array).data
            return builder.bitcast(builder.gep(data, [index], inbounds=True), vector.as_pointer())

        target = pointer(arguments[0], signature.args[0], arguments[1])
        values = builder.load(pointer(arguments[2], signature.args[2], arguments[3]), align=4)
        index = ir.IntType(32)
        blank = ir.Constant(vector, ir.Undefined)
        one = builder.insert_element(blank, arguments[4], ir.Constant(index, 0))
        same = ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
        scale = builder.shuffle_vector(one, blank, same)
        product = builder.fmul(scale, values, flags=_FLAGS)
        summed = builder.fadd(builder.load(target, align=4), product, flags=_FLAGS)
        builder.store(summed, target, align=4)
        return context.get_dummy_value()

    return signature, generate


_add_scaled: Any = intrinsic(_vector_code)


@_compiled
def _flush(part: Any, total: Any) -> None:
    for i in range(part.size):
        total[i] += part[i]
        part[i] = 0.0


@_compiled
def scatter_plain(
    frames: Any, pointer: Any, cells: Any, shares: Any, signal: Any, variance: Any
) -> None:
    """Add Σ c·counts and Σ c²·max(counts, 1) of up to sixteen frames, where all pixels count.

    frames : (frame, pixel); pointer : (pixel + 1); cells, shares : (entry); signal, variance :
    (bin · 16) float64
    """
    count, pixels = frames.shape
    counts, floored = np.zeros(_WINDOW * LANES, np.float32), np.zeros(_WINDOW * LANES, np.float32)
    first, second = np.zeros(signal.size, np.float32), np.zeros(signal.size, np.float32)
    for start in range(0, pixels, _WINDOW):
        width = min(_WINDOW, pixels - start)
        for f in range(count):
            for k in range(width):
                value = np.float32(frames[f, start + k])
                counts[k * LANES + f] = value
                floored[k * LANES + f] = max(value, np.float32(1.0))
        for k in range(width):
            for e in range(pointer[start + k], pointer[start + k + 1]):
                share, at = shares[e], np.int64(cells[e]) * LANES
                _add_scaled(first, at, counts, np.int64(k * LANES), share)
                _add_scaled(second, at, floored, np.int64(k * LANES), share * share)
        if (start // _WINDOW) % _WINDOWS == _WINDOWS - 1:
            _flush(first, signal)
            _flush(second, variance)
    _flush(first, signal)
    _flush(second, variance)


@_compiled
def _is_valid(value: Any, dummy: Any, delta: Any, has_dummy: Any) -> Any:
    # NaN is unequal to itself.
    if value != value:
        return False
    if not has_dummy:
        return True
    return abs(value - dummy) > delta if delta > 0.0 else value != dummy


@_compiled
def scatter_dummies(
    frames: Any,
    pointer: Any,
    cells: Any,
    shares: Any,
    weight: Any,
    dark: Any,
    dummy: Any,
    delta: Any,
    has_dummy: Any,
    sums: Any,
) -> None:
    """Add signal, variance, Σ c·weight and Σ c·dark, over the pixels that count in each frame.

    frames : (frame, pixel); weight, dark : (pixel); sums : (4, bin · 16) float64
    """
    count, pixels = frames.shape
    values = np.zeros((4, _WINDOW * LANES), np.float32)
    part = np.zeros(sums.shape, np.float32)
    for start in range(0, pixels, _WINDOW):
        width = min(_WINDOW, pixels - start)
        for f in range(count):
            for k in range(width):
                value, lane = np.float32(frames[f, start + k]), k * LANES + f
                valid = _is_valid(value, dummy, delta, has_dummy)
                values[0, lane] = value if valid else np.float32(0.0)
                values[1, lane] = max(value, np.float32(1.0)) if valid else np.float32(0.0)
                values[2, lane] = weight[start + k] if valid else np.float32(0.0)
                values[3, lane] = dark[start + k] if valid else np.float32(0.0)
        for k in range(width):
            for e in range(pointer[start + k], pointer[start + k + 1]):
                share, at = shares[e], np.int64(cells[e]) * LANES
                for which in range(4):
                    factor = share * share if which == 1 else share
                    _add_scaled(part[which], at, values[which], np.int64(k * LANES), factor)
        if (start // _WINDOW) % _WINDOWS == _WINDOWS - 1:
            for which in range(4):
                _flush(part[which], sums[which])
    for which in range(4):
        _flush(part[which], sums[which])


@_compiled
def scatter_spread(
    frames: Any,
    pointer: Any,
    cells: Any,
    shares: Any,
    weight: Any,
    dark: Any,
    dummy: Any,
    delta: Any,
    has_dummy: Any,
    mean: Any,
    total: Any,
) -> None:
    """Add Σ c²·(counts - dark - mean·weight)², the spread about the means of the bins.

    mean : (bin, frame) float64; total : (bin, frame) float64
    """
    count, pixels = frames.shape
    for f in range(count):
        for p in range(pixels):
            value = np.float64(frames[f, p])
            if not _is_valid(np.float32(value), dummy, delta, has_dummy):
                continue
            for e in range(pointer[p], pointer[p + 1]):
                at = cells[e]
                distance = value - dark[p] - mean[at, f] * weight[p]
                distance *= np.float64(shares[e])
                total[at, f] += distance * distance


@_compiled
def scatter_given(
    frames: Any,
    variance: Any,
    pointer: Any,
    cells: Any,
    shares: Any,
    dummy: Any,
    delta: Any,
    has_dummy: Any,
    total: Any,
) -> None:
    """Add Σ c²·variance over the pixels that count in each frame.

    frames, variance : (frame, pixel); total : (bin, frame) float64
    """
    count, pixels = frames.shape
    for f in range(count):
        for p in range(pixels):
            if not _is_valid(np.float32(frames[f, p]), dummy, delta, has_dummy):
                continue
            for e in range(pointer[p], pointer[p + 1]):
                share = np.float64(shares[e])
                total[cells[e], f] += share * share * variance[f, p]
