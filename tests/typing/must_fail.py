"""Compositions both type checkers have to refuse; each line ends with the checker it is for."""

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
    segment,
    soften,
    subtract,
    volume,
)

from lightwell import Input

project | normalise  # E
Input("data", Scan) | normalise | subtract  # E
Input("data", Scan) | normalise | subtract.using(Input("dark", Volume))  # E
Input("data", Scan) | find_axis.into("axis")  # E
average.into("scale")  # E
volume | soften  # E


def calls(scan: Scan, sinos: Sinograms, background: Background, slices: Volume) -> None:
    normalise(sinos)  # E
    normalise(scan, floor="low")  # E
    project(sinos)  # E
    project(sinos, axis=1.0, kind="square")  # E
    subtract(sinos, slices)  # E
    segment(slices, threshold="high")  # E
    half_height(sinos)  # E
