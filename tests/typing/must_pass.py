"""Compositions both type checkers have to accept, with the types they have to find."""

from typing import assert_type

from chains import (
    Background,
    Scan,
    Sinograms,
    Volume,
    average,
    find_axis,
    half_height,
    normalise,
    project,
    relax,
    soften,
    subtract,
    volume,
)

from lightwell import Estimate, Input, Recipe
from lightwell.steps import Chain

assert_type(volume, Recipe[Scan, Volume])
assert_type(volume | relax.bind(iterations=3), Chain[Scan, Volume])
again = Input("data", Scan) | normalise | soften | find_axis.into("axis") | project
cleaned = Input("data", Scan) | normalise | subtract.using(Input("dark", Sinograms) | average)


def calls(scan: Scan, sinos: Sinograms, slices: Volume) -> None:
    assert_type(normalise(scan, floor=1e-4), Sinograms)
    assert_type(project(sinos, axis=3.0), Volume)
    assert_type(average(sinos), Background)
    assert_type(subtract(sinos, average(sinos), scale=0.5), Sinograms)
    assert_type(half_height(slices), Estimate[float])
    assert_type(find_axis(sinos), Estimate[float])
