"""The two forms of the average, and both next to sums in double precision."""

from typing import Any

import jax
import numpy as np
import pytest

from lightwell_saxs.kernels import averaging, compiled
from lightwell_saxs.kernels.corrections import pixel_weights
from lightwell_saxs.kernels.geometry import Geometry, pixel_positions
from lightwell_saxs.kernels.splitting import Axis, Operator, build_operator, full_range

SHAPE = (120, 110)
GEOMETRY = Geometry(0.1, 0.009, 0.011, 0.1, -0.05, 0.2, 172e-6, 172e-6, 1e-10)


@pytest.fixture(scope="module")
def made() -> tuple[Operator, Any, Any, Any]:
    rng = np.random.default_rng(5)
    valid = rng.random(SHAPE) > 0.05
    places = pixel_positions(GEOMETRY, SHAPE)
    axis = Axis(0.0, 1.2 * full_range(places, valid)[1], 90)
    operator = build_operator(places, valid, axis)
    weight = pixel_weights(GEOMETRY, SHAPE, polarisation_factor=0.95) * valid
    # Nineteen: one group of sixteen, and a part of another.
    frames = rng.poisson(30 * np.maximum(weight, 0.1), (19, *SHAPE)).astype(np.int32)
    frames[rng.random(frames.shape) < 0.01] = -2
    return operator, weight, rng.random(SHAPE), frames.reshape(19, -1)


@pytest.mark.parametrize("errors", ["none", "poisson", "azimuthal"])
@pytest.mark.parametrize("dummy", [None, -2.0])
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_both_forms_agree_with_sums_in_double(
    made: Any, errors: averaging.ErrorModel, dummy: float | None, dtype: Any, require: Any
) -> None:
    require("numba")
    operator, weight, dark, stack = made
    frames = stack.astype(dtype)
    rule: dict[str, Any] = {"errors": errors, "dummy": dummy}
    fast = compiled.average(frames, compiled.compiled_plan(operator, weight, dark), **rule)
    static = ("errors", "dummy", "delta_dummy")
    function = jax.jit(averaging.average, static_argnames=static)
    portable = function(frames, averaging.portable_plan(operator, weight, dark), **rule)
    for index in (0, 15, 16, 18):
        true = _in_double(operator, weight, dark, stack[index].astype(np.float64), **rule)
        for form in (fast, portable):
            for found, wanted in zip(form, true, strict=True):
                np.testing.assert_allclose(np.asarray(found)[index], wanted, rtol=5e-6)


def _in_double(
    operator: Operator, weight: Any, dark: Any, counts: Any, errors: str, dummy: float | None
) -> tuple[Any, Any]:
    valid = np.ones(counts.size) if dummy is None else (counts != dummy).astype(np.float64)
    factor, level = weight.reshape(-1), dark.reshape(-1)
    norm = operator.sums(valid * factor)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = operator.sums(valid * (counts - level)) / norm
        variance = operator.sums(valid * np.maximum(counts, 1.0), power=2)
        if errors == "azimuthal":
            cell = np.repeat(np.arange(operator.bins), np.diff(operator.pointer))
            pixel = operator.pixels
            distance = counts[pixel] - level[pixel] - mean[cell] * factor[pixel]
            terms = valid[pixel] * (operator.coefficients * distance) ** 2
            variance = np.bincount(cell, terms, operator.bins)
        sigma = np.sqrt(variance) / norm
    empty = norm <= 0
    mean[empty], sigma[empty | (errors == "none")] = np.nan, np.nan
    return mean, sigma


@pytest.mark.parametrize("dummy", [None, -2.0])
def test_errors_that_are_given_are_summed_as_they_are(
    made: Any, dummy: float | None, require: Any
) -> None:
    require("numba")
    operator, weight, dark, stack = made
    variance = np.random.default_rng(3).random(stack.shape).astype(np.float32) * 40
    rule: Any = {"errors": "given", "dummy": dummy, "variance": variance}
    plan = compiled.compiled_plan(operator, weight, dark)
    fast = compiled.average(stack, plan, **rule)
    slow = averaging.average(stack, averaging.portable_plan(operator, weight, dark), **rule)
    valid = np.ones(stack.shape) if dummy is None else (stack != dummy).astype(float)
    for frame in (0, 17):
        norm = operator.sums(valid[frame] * weight.reshape(-1))
        total = operator.sums(valid[frame] * variance[frame], power=2)
        seen = norm > 0
        wanted = np.sqrt(total[seen]) / norm[seen]
        np.testing.assert_allclose(fast[1][frame][seen], wanted, rtol=1e-5)
        np.testing.assert_allclose(np.asarray(slow[1])[frame][seen], wanted, rtol=2e-5)
    np.testing.assert_allclose(fast[0], np.asarray(slow[0]), rtol=2e-5)


def test_what_is_not_a_number_never_counts(made: Any, require: Any) -> None:
    require("numba")
    operator, weight, dark, stack = made
    frames = np.where(stack == -2, np.nan, stack).astype(np.float32)
    spoilt = compiled.average(frames, compiled.compiled_plan(operator, weight, dark))
    marked = compiled.average(stack, compiled.compiled_plan(operator, weight, dark), dummy=-2.0)
    for one, other in zip(spoilt, marked, strict=True):
        np.testing.assert_array_equal(one, other)


def test_threads_do_not_change_a_bit(made: Any, require: Any) -> None:
    require("numba")
    operator, weight, dark, stack = made
    plan = compiled.compiled_plan(operator, weight, dark)
    for frames in (stack, stack[:1]):
        one, two = compiled.average(frames, plan), compiled.average(frames, plan, threads=2)
        np.testing.assert_array_equal(one, two)


def test_one_frame_is_what_it_is_in_a_stack(made: Any, require: Any) -> None:
    require("numba")
    operator, weight, dark, stack = made
    plan = compiled.compiled_plan(operator, weight, dark)
    alone, among = compiled.average(stack[:1], plan), compiled.average(stack, plan)
    for one, other in zip(alone, among, strict=True):
        np.testing.assert_allclose(one[0], other[0], rtol=2e-6)


def test_the_portable_form_has_a_gradient(made: Any) -> None:
    operator, weight, dark, stack = made
    plan = averaging.portable_plan(operator, weight, dark)

    def total(frames: Any) -> Any:
        mean, _ = averaging.average(frames, plan, errors="none")
        return jax.numpy.nansum(mean)

    slope = jax.grad(total)(stack[:2].astype(np.float32))
    norm = np.where(plan.norm > 0, plan.norm, np.inf)
    cell = np.repeat(np.arange(operator.bins), np.diff(operator.pointer))
    terms = operator.coefficients / norm[cell]
    wanted = np.bincount(operator.pixels, terms, operator.pixel_count)
    np.testing.assert_allclose(slope[0], wanted, rtol=1e-4, atol=1e-8)
