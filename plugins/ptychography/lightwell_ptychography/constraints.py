"""What is known of object and probe beside the patterns: small functions that compose.

Each takes a reconstruction and gives one that obeys; algorithms apply a tuple of them, in order,
after every epoch. They are frozen and hashable, since a compiled program belongs to them.
"""

import dataclasses
from collections.abc import Callable, Iterable

import jax.numpy as jnp
from jax import Array

from lightwell_ptychography.problem import Reconstruction

__all__ = [
    "CentredProbe",
    "Constraint",
    "ModulusRange",
    "ProbePower",
    "ProbeSupport",
    "PurePhase",
    "SmoothObject",
    "constrained",
]

Constraint = Callable[[Reconstruction], Reconstruction]

_TINY = 1e-30


def constrained(found: Reconstruction, constraints: Iterable[Constraint]) -> Reconstruction:
    """A reconstruction that has passed every constraint in turn."""
    for constraint in constraints:
        found = constraint(found)
    return found


@dataclasses.dataclass(frozen=True)
class ModulusRange:
    """The object neither absorbs more nor amplifies more than this; its phase stays."""

    least: float = 0.0
    most: float = 1.0

    def __call__(self, found: Reconstruction) -> Reconstruction:
        modulus = jnp.abs(found.object)
        factor = jnp.clip(modulus, self.least, self.most) / (modulus + _TINY)
        # Where there is no phase yet, it is 0.
        allowed = jnp.where(modulus > 0, found.object * factor, self.least)
        return dataclasses.replace(found, object=allowed.astype(jnp.complex64))


@dataclasses.dataclass(frozen=True)
class PurePhase:
    """The object does not absorb: moved towards modulus 1 by this share."""

    weight: float = 1.0

    def __call__(self, found: Reconstruction) -> Reconstruction:
        modulus = jnp.abs(found.object)
        pure = jnp.where(modulus > 0, found.object / (modulus + _TINY), 1.0)
        mixed = found.object + self.weight * (pure - found.object)
        return dataclasses.replace(found, object=mixed.astype(jnp.complex64))


@dataclasses.dataclass(frozen=True)
class SmoothObject:
    """The object moved by this share towards its neighbours' mean: damps noise of single pixels."""

    weight: float = 0.05

    def __call__(self, found: Reconstruction) -> Reconstruction:
        image = jnp.pad(found.object, ((0, 0), (1, 1), (1, 1)), mode="edge")
        mean = 0.25 * (
            image[:, 2:, 1:-1] + image[:, :-2, 1:-1] + image[:, 1:-1, 2:] + image[:, 1:-1, :-2]
        )
        smooth = found.object + jnp.float32(self.weight) * (mean - found.object)
        return dataclasses.replace(found, object=smooth)


@dataclasses.dataclass(frozen=True)
class ProbeSupport:
    """No light outside a circle around the middle of the frame.

    radius : share of the frame's shorter side, up to 0.5
    """

    radius: float = 0.45

    def __call__(self, found: Reconstruction) -> Reconstruction:
        height, width = found.probe.shape[-2:]
        y = jnp.arange(height, dtype=jnp.float32) - height // 2
        x = jnp.arange(width, dtype=jnp.float32) - width // 2
        inside = y[:, None] ** 2 + x[None, :] ** 2 <= (self.radius * min(height, width)) ** 2
        return dataclasses.replace(found, probe=found.probe * inside)


@dataclasses.dataclass(frozen=True)
class ProbePower:
    """The probe carries so many counts; the object takes the factor, patterns stay as they are."""

    counts: float

    def __call__(self, found: Reconstruction) -> Reconstruction:
        power = (found.probe.real**2 + found.probe.imag**2).sum()
        factor = jnp.sqrt(self.counts / (power + _TINY)).astype(jnp.float32)
        factor = jnp.where(power > 0, factor, 1.0)
        # The first slice takes it all, so that the product of slices takes it once.
        object_ = found.object.at[0].divide(factor)
        return dataclasses.replace(found, probe=found.probe * factor, object=object_)


@dataclasses.dataclass(frozen=True)
class CentredProbe:
    """The probe's centre of mass on the middle of its frame, by whole pixels; the object follows.

    Whole pixels lose nothing, so that patterns stay the same but for what wraps around.
    """

    def __call__(self, found: Reconstruction) -> Reconstruction:
        power = (found.probe.real**2 + found.probe.imag**2).sum(axis=0)
        shifts = jnp.stack([_off_centre(power.sum(axis=1 - axis)) for axis in (0, 1)])
        return dataclasses.replace(
            found,
            probe=jnp.roll(found.probe, shifts, axis=(-2, -1)),
            object=jnp.roll(found.object, shifts, axis=(-2, -1)),
        )


def _off_centre(profile: Array) -> Array:
    """Whole pixels to roll a profile (place,) by, so that its mass is around side // 2.

    On a circle, since light may wrap around the edge of the frame.
    """
    side = profile.shape[0]
    angle = 2 * jnp.pi * jnp.arange(side, dtype=jnp.float32) / side
    centre = jnp.arctan2((profile * jnp.sin(angle)).sum(), (profile * jnp.cos(angle)).sum())
    away = side // 2 - centre * side / (2 * jnp.pi)
    # The shorter way round.
    away = away - side * jnp.round(away / side)
    return jnp.where(jnp.isfinite(away), jnp.round(away), 0).astype(jnp.int32)
