"""A scan cut into parts, each reconstructed by itself: what they differ by is what is not known."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lightwell.errors import InputError
from lightwell_ptychography.calibrations.pupil import bent, edge
from lightwell_ptychography.engines import rpie
from lightwell_ptychography.geometry import object_extent
from lightwell_ptychography.judgement import Verdict, fourier_fit, judge_fit
from lightwell_ptychography.problem import Patterns, Reconstruction
from lightwell_ptychography.propagators import FarField
from lightwell_ptychography.start import central_frames, find_focus, mean_pattern

__all__ = ["Parts", "cut", "reconstructed"]

_FEWEST = 25
_MOST = 8
_TRIED = 64
_FIRST_ITERATIONS = 40
# Of the depth of focus: parts begin so far on both sides of the first guess.
_APART = 0.25
_POSITIONS_FROM = 10


class Parts(NamedTuple):
    """What the parts gave.

    frames : in each; probes : (part, mode, row, column); verdict : on the part that fits worst.
    """

    frames: int
    probes: NDArray[np.complex64]
    verdict: Verdict


def cut(positions: NDArray[np.floating]) -> list[NDArray[np.intp]]:
    """Frames of each part: 2, 4 or 8 parts with as many frames each, side by side.

    positions : (frame, 2) pixels. Every part is halved across its longer side as long as a half has
    25 frames.
    Errors: InputError for fewer than 50 frames.

    >>> [len(part) for part in cut(np.random.default_rng(0).uniform(0, 99, (110, 2)))]
    [27, 27, 27, 27]
    """
    if len(positions) < 2 * _FEWEST:
        raise InputError(
            f"{len(positions)} frames are too few to be cut into parts of {_FEWEST}",
            remedy=f"use a scan of {2 * _FEWEST} frames or more",
        )
    parts = [np.arange(len(positions))]
    while len(parts) < _MOST and min(map(len, parts)) >= 2 * _FEWEST:
        parts = [half for part in parts for half in _halves(positions, part)]
    count = min(map(len, parts))
    return [part[central_frames(positions[part], count)] for part in parts]


def reconstructed(
    patterns: Patterns, *, modes: int, iterations: int, seed: int, refine_positions: bool
) -> Parts:
    """Every part of a far-field scan, each begun on another side of the first guess.

    Errors: InputError for too few frames, or where nothing comes of a part.
    """
    parts = [_of(patterns, members) for members in cut(np.asarray(patterns.positions))]
    # Roots of few photons lean to one side, and the distance with them: their likelihood is
    # Poisson's. The last iterations share updates among more frames, which leaves less noise.
    options = rpie.RPIEOptions(
        groups=((0, 4), (3 * iterations // 4, 12)),
        likelihood="poisson",
        positions_from=_POSITIONS_FROM if refine_positions else None,
        seed=seed,
    )
    guess = _first_probe(patterns, modes, options)
    depth = edge(guess, (1.0, 1.0)) ** -2
    # One size for all, so that they are one compiled program.
    sizes = [object_extent(np.asarray(p.positions), p.frame_shape)[0] for p in parts]
    canvas = (max(rows for rows, _ in sizes), max(columns for _, columns in sizes))
    found = []
    for n, part in enumerate(parts):
        # On both sides along rows and along columns, in turn.
        sides = (1 if n % 2 else -1, 1 if (n ^ (n >> 1)) % 2 else -1)
        start = bent(guess, (1.0, 1.0), np.diag(_APART * depth * np.array(sides)))
        found.append(_iterated(part, start, canvas, options, iterations))
    worst = max(range(len(parts)), key=lambda n: found[n][1])
    verdict = judge_fit(fourier_fit(parts[worst], found[worst][0], FarField()), "far")
    probes = np.stack([np.asarray(one.probe) for one, _ in found])
    return Parts(parts[0].count, probes, verdict)


def _first_probe(
    patterns: Patterns, modes: int, options: rpie.RPIEOptions
) -> NDArray[np.complex64]:
    """A probe from the frames of the middle: its focus found, its other aberrations on the way."""
    middle = _of(patterns, central_frames(np.asarray(patterns.positions), _TRIED))
    trial = dataclasses.replace(options, likelihood="amplitude")
    probe = find_focus(middle, mean_pattern(patterns), trial, modes).probe
    canvas, _ = object_extent(np.asarray(middle.positions), middle.frame_shape)
    found, _ = _iterated(middle, probe, canvas, options, _FIRST_ITERATIONS)
    return np.asarray(found.probe)


def _iterated(
    part: Patterns,
    probe: Array | NDArray[np.complex128],
    canvas: tuple[int, int],
    options: rpie.RPIEOptions,
    iterations: int,
) -> tuple[Reconstruction, float]:
    """A part after so many iterations, and its Fourier error in the last.

    Errors: InputError where it diverged.
    """
    _, positions = object_extent(np.asarray(part.positions), part.frame_shape)
    blank = jnp.ones((1, *canvas), jnp.complex64)
    guess = Reconstruction(blank, jnp.asarray(probe, jnp.complex64), jnp.asarray(positions))
    state, error = rpie.init(None, guess, options), np.inf
    for n in range(iterations):
        state, metrics = rpie.update(state, part, n, options)
        error = float(metrics["fourier_error"])
    if not np.isfinite(error):
        raise InputError(
            "no reconstruction of a part of the scan comes to an end",
            remedy="run ptychography.rpie on the scan first and mend what its verdict names",
        )
    return rpie.finish(state), error


def _of(patterns: Patterns, members: NDArray[np.intp]) -> Patterns:
    """Some of the frames."""
    return dataclasses.replace(
        patterns, frames=patterns.frames[members], positions=patterns.positions[members]
    )


def _halves(
    positions: NDArray[np.floating], part: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The two halves of a part, cut across its longer side."""
    along = positions[part, int(np.argmax(np.ptp(positions[part], axis=0)))]
    order = part[np.argsort(along, kind="stable")]
    return order[: len(order) // 2], order[len(order) // 2 :]
