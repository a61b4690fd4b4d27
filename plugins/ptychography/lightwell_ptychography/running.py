"""What the steps have in common: the experiment, its start, what a run gives."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lightwell import Array, State
from lightwell.errors import InputError
from lightwell_ptychography.engines.rpie import RPIEOptions
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.problem import Patterns, Reconstruction, amplitudes
from lightwell_ptychography.products import Diffraction, ObjectAndProbe
from lightwell_ptychography.propagators import FarField, NearField
from lightwell_ptychography.start import central_frames, find_focus, probe_from_mean

__all__ = [
    "Experiment",
    "Running",
    "Start",
    "Survey",
    "blank_survey",
    "guessed",
    "result",
    "surveyed",
]

_TRIED = 64
"""Frames of the middle of the scan that the defocus of the first probe is tried on."""

Start = Literal["data", "file"]
"""Where the first probe comes from: the mean pattern, or the guess in the file."""


class Experiment(NamedTuple):
    """Sizes and physics of a data set, known before a frame is read."""

    number: int
    frame: tuple[int, int]
    canvas: tuple[int, int]
    optics: Optics
    propagator: FarField | NearField

    @classmethod
    def of(cls, like: Diffraction) -> "Experiment":
        """Look at what is not frames."""
        optics = Optics.of(np.asarray(like.optics))
        count, rows, columns = like.frames.shape
        height, width = like.canvas.shape
        way: FarField | NearField = FarField()
        if optics.near:
            pixel = (optics.object_row, optics.object_column)
            way = NearField(optics.wavelength, optics.distance, pixel)
        return cls(count, (rows, columns), (height, width), optics, way)

    @property
    def unit(self) -> Literal["count", "amplitude"]:
        """What frames hold."""
        return "amplitude" if self.optics.amplitude else "count"

    def between(self, slices: int, distance: float | None) -> NearField | None:
        """What takes the light from slice to slice of a thick object; None for a thin one.

        Errors: InputError where the distance or the size of a pixel is not known.
        """
        if slices == 1:
            return None
        pixel = (self.optics.object_row, self.optics.object_column)
        if distance is None or not np.isfinite((*pixel, self.optics.wavelength)).all():
            raise InputError(
                "an object of several slices needs their distance and the size of a pixel",
                remedy="give --set slice_distance=…, and energy, distance and pixel size when you "
                "ingest",
            )
        return NearField(self.optics.wavelength, distance, pixel)

    def patterns(self, data: Diffraction) -> Patterns:
        """Frames as the algorithms take them."""
        return Patterns(data.frames, data.mask != 0, data.positions, self.unit)


class Survey(State):
    """Counts of all frames so far, and how many of them had any."""

    total: Array
    seen: Array

    @property
    def mean(self) -> Array:
        """The mean frame that has counts."""
        return self.total / jnp.maximum(self.seen, 1.0)


class Running(State):
    """The state of an algorithm, the error of every iteration so far, the positions it was told."""

    inner: Any
    error: Array
    told: Array

    @classmethod
    def begun(cls, inner: Any, iterations: int, told: Array) -> "Running":
        """Before the first iteration."""
        return cls(inner, jnp.full(iterations, jnp.nan, jnp.float32), told)

    def after(self, inner: Any, i: Array, metrics: Mapping[str, Array]) -> "Running":
        """After an iteration."""
        return Running(inner, self.error.at[i].set(metrics["fourier_error"]), self.told)


def blank_survey(experiment: Experiment) -> Survey:
    """Before the first frame."""
    return Survey(jnp.zeros(experiment.frame, jnp.float32), jnp.zeros((), jnp.float32))


def surveyed(state: Survey, patterns: Patterns) -> Survey:
    """With some more frames, taken one after the other: memory for one of them is enough."""

    def add(state: Survey, frame: Array) -> tuple[Survey, None]:
        root, alive = amplitudes(frame, patterns.mask, patterns.unit)
        seen = alive.any().astype(jnp.float32)
        return Survey(state.total + root**2, state.seen + seen), None

    return jax.lax.scan(add, state, patterns.frames)[0]


def guessed(
    experiment: Experiment,
    like: Diffraction,
    mean: Array,
    *,
    modes: int,
    slices: int,
    start: Start,
    seed: int,
    positions_from: int | None = None,
) -> Reconstruction:
    """A blank object, and the probe of the file or one made of the data.

    like : the data, unread; mean : (row, column) counts of the mean frame; positions_from : first
    iteration that changes positions, None where they are right.
    Errors: InputError for a file without a guess.
    """
    blank = jnp.ones((slices, *experiment.canvas), jnp.complex64)
    positions = jnp.asarray(np.asarray(like.positions), jnp.float32)
    if start == "file":
        probe = _from_file(like, mean, modes)
    elif isinstance(experiment.propagator, NearField) or isinstance(mean, Tracer):
        # Where only shapes are asked for, any probe will do.
        probe = probe_from_mean(mean, experiment.propagator, modes)
    else:
        options = RPIEOptions(
            propagator=experiment.propagator, seed=seed, positions_from=positions_from
        )
        probe = _focused(experiment, like, mean, modes, options)
    return Reconstruction(blank, probe, positions)


def _focused(
    experiment: Experiment, like: Diffraction, mean: Array, modes: int, options: RPIEOptions
) -> Array:
    """The probe of the mean frame, at the defocus that a few frames like best."""
    positions = np.asarray(like.positions)
    chosen = central_frames(positions, _TRIED)
    some = Patterns(
        jnp.asarray(like.frames[chosen]),
        jnp.asarray(np.asarray(like.mask) != 0),
        jnp.asarray(positions[chosen]),
        experiment.unit,
    )
    return find_focus(some, mean, options, modes).probe


def _from_file(like: Diffraction, mean: Array, modes: int) -> Array:
    """So many modes of the guess in the file, with as many counts as the mean frame has."""
    guess = np.asarray(like.guess)
    if not len(guess):
        raise InputError(
            "the data set has no guess of the illumination", remedy="leave --set start=data"
        )
    known = jnp.asarray(guess[:modes], jnp.complex64)
    missing = [known[:1] * 0.1 ** (n + 1) for n in range(modes - known.shape[0])]
    probe = jnp.concatenate([known, *missing])
    power = (jnp.abs(probe) ** 2).sum()
    return probe * jnp.sqrt(mean.sum() / jnp.maximum(power, 1e-30)).astype(jnp.complex64)


def result(experiment: Experiment, found: Reconstruction, state: Running) -> ObjectAndProbe:
    """What a run gives: object, probe, positions, errors and where the light fell."""
    return ObjectAndProbe(
        found.object,
        found.probe,
        found.positions,
        state.told,
        state.error,
        _lit(found, experiment),
        jnp.asarray(np.asarray(experiment.optics), jnp.float32),
    )


def _lit(found: Reconstruction, experiment: Experiment) -> Array:
    """Counts that fell on every pixel of the object."""
    light = (jnp.abs(found.probe) ** 2).sum(axis=0)
    last = jnp.asarray(experiment.canvas) - jnp.asarray(experiment.frame)
    corners = jnp.clip(jnp.round(found.positions), 0, last).astype(jnp.int32)

    def add(n: Array, canvas: Array) -> Array:
        place = (corners[n, 0], corners[n, 1])
        here = jax.lax.dynamic_slice(canvas, place, experiment.frame)
        return jax.lax.dynamic_update_slice(canvas, here + light, place)

    blank = jnp.zeros(experiment.canvas, jnp.float32)
    lit: Array = jax.jit(lambda: jax.lax.fori_loop(0, experiment.number, add, blank))()
    return lit
