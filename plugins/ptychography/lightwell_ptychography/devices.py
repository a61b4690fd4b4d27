"""Chunks of frames shared out among devices: each works on some, and sums are those over all."""

from collections.abc import Callable
from typing import TypeVar

import jax
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from lightwell.errors import ParameterError

__all__ = ["available", "shared_out"]

Whole = TypeVar("Whole")
Chunks = TypeVar("Chunks")
Sums = TypeVar("Sums")
Kept = TypeVar("Kept")


def available(devices: int) -> int:
    """The number of devices, if there are so many.

    Errors: ParameterError where there are fewer.
    """
    if not 1 <= devices <= jax.device_count():
        raise ParameterError(
            f"{devices} devices are asked for, and there are {jax.device_count()} "
            f"({jax.default_backend()})",
            remedy=f"give --set devices= a number from 1 to {jax.device_count()}",
        )
    return devices


def shared_out(
    devices: int,
    work: Callable[[Whole, Chunks], tuple[Sums, Kept]],
    whole: Whole,
    chunks: Chunks,
) -> tuple[Sums, Kept]:
    """What some work on chunks gives, a part of them done by each of the devices.

    work   : from what all devices need and some chunks to sums over these, and what is kept of each
    whole  : arrays that every device holds
    chunks : arrays along whose first axis the chunks lie, as many for each device

    Sums differ from those of one device by the order in which they were added.
    Errors: ParameterError where there are not so many devices.
    """
    if devices == 1:
        return work(whole, chunks)
    mesh = jax.make_mesh((available(devices),), ("device",), axis_types=(AxisType.Auto,))

    def part(whole: Whole, chunks: Chunks) -> tuple[Sums, Kept]:
        sums, kept = work(whole, chunks)
        return lax.psum(sums, "device"), kept

    everywhere, apart = PartitionSpec(), PartitionSpec("device")
    found: tuple[Sums, Kept] = jax.shard_map(
        part,
        mesh=mesh,
        in_specs=(everywhere, apart),
        out_specs=(everywhere, apart),
        check_vma=False,
    )(whole, chunks)
    return found
