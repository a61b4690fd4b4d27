"""The algorithms as steps of recipes."""

from typing import Annotated, Any, Literal

from lightwell import Iteration, TiledIteration, Unit, iterate_step
from lightwell_ptychography.devices import available
from lightwell_ptychography.engines import adam as gradient
from lightwell_ptychography.engines import difference_map
from lightwell_ptychography.engines import lbfgs as quasi_newton
from lightwell_ptychography.engines import lsqml as least_squares
from lightwell_ptychography.engines import raar as relaxed
from lightwell_ptychography.engines import rpie as regularised
from lightwell_ptychography.iterations import Run, on_all, on_tiles
from lightwell_ptychography.objective import Model
from lightwell_ptychography.products import Diffraction, ObjectAndProbe
from lightwell_ptychography.running import Experiment, Running, Start

__all__ = ["adam", "dm", "lbfgs", "lsqml", "raar", "rpie"]

Likelihood = Literal["amplitude", "poisson"]
SliceDistance = Annotated[float | None, Unit("m")]
Pixels = Annotated[float, Unit("pixel")]


@iterate_step(checkpoint=5, over="frame", tile="frames_per_tile")
def rpie(
    like: Diffraction,
    *,
    iterations: int = 60,
    modes: int = 1,
    slices: int = 1,
    slice_distance: SliceDistance = None,
    alpha: float = 0.3,
    object_step: float = 1.0,
    probe_step: float = 1.0,
    momentum: float = 0.5,
    probe_from: int = 1,
    likelihood: Likelihood | None = None,
    refine_positions: bool = False,
    positions_from: int = 10,
    stretch_from: int | None = 20,
    background: bool = False,
    fluctuation: bool = False,
    subpixel: bool = True,
    start: Start = "data",
    tolerance: float = 0.0,
    frames_per_tile: int = 256,
    seed: int = 0,
) -> TiledIteration[Any, Diffraction, ObjectAndProbe]:
    """Object and probe from groups of frames in random order (rPIE), tile by tile.

    modes : of the illumination; slices : of a thick object, slice_distance apart; alpha : how far
    divisors of dim pixels are raised to that of the brightest, larger is calmer; object_step,
    probe_step : factors on what a group asks for; momentum : share of its update that goes on in
    the next; likelihood : of amplitudes, but Poisson's where positions are refined, if nothing is
    said; probe_from, positions_from : first iteration that changes them; stretch_from : first one
    in which the scan may be stretched, turned and sheared as a whole, null for never, and never in
    the far field with amplitudes, which lean to one side where photons are few; refine_positions,
    background, fluctuation : what else is sought: places of the frames, counts in all of them,
    strength of the beam at each; subpixel : move the probe by fractions of a pixel; start : the
    first probe from the data, or the file's; tolerance : share of the error to be won in ten
    iterations to go on, 0 to go to the end; frames_per_tile : in memory at once, at most.
    """
    experiment = Experiment.of(like)
    judged_by = likelihood or ("poisson" if refine_positions else "amplitude")
    told_apart = judged_by == "poisson" or bool(experiment.optics.near)
    options = regularised.RPIEOptions(
        propagator=experiment.propagator,
        between=experiment.between(slices, slice_distance),
        likelihood=judged_by,
        alpha=alpha,
        object_step=object_step,
        probe_step=probe_step,
        momentum=momentum,
        probe_from=probe_from,
        positions_from=positions_from if refine_positions else None,
        stretch_from=stretch_from if told_apart else None,
        background=background,
        fluctuation=fluctuation,
        subpixel=subpixel,
        seed=seed,
    )
    refined, settled = options.positions_from, options.groups[-1][0]
    run = Run(like, experiment, iterations, modes, slices, start, tolerance, seed, refined, settled)
    return on_tiles(regularised, options, run)


@iterate_step(checkpoint=5, over="frame", tile="frames_per_tile")
def lsqml(
    like: Diffraction,
    *,
    iterations: int = 60,
    modes: int = 1,
    group: int = 40,
    damping: float = 0.1,
    momentum: float = 0.0,
    object_step: float = 1.0,
    probe_step: float = 1.0,
    probe_from: int = 1,
    likelihood: Likelihood = "amplitude",
    subpixel: bool = True,
    start: Start = "data",
    tolerance: float = 0.0,
    frames_per_tile: int = 256,
    seed: int = 0,
) -> TiledIteration[Any, Diffraction, ObjectAndProbe]:
    """Object and probe by least squares with step lengths of their own for every frame (LSQ-ML).

    group : frames that share one update; damping : share of the largest divisor added to each,
    where little light fell; momentum : share of the last update that goes on in the next; the
    others are those of rpie. Source: M. Odstrcil, A. Menzel, M. Guizar-Sicairos, Opt. Express 26,
    3108 (2018).
    """
    experiment = Experiment.of(like)
    options = least_squares.LSQMLOptions(
        propagator=experiment.propagator,
        likelihood=likelihood,
        group=group,
        damping=damping,
        momentum=momentum,
        object_step=object_step,
        probe_step=probe_step,
        probe_from=probe_from,
        subpixel=subpixel,
        seed=seed,
    )
    run = Run(like, experiment, iterations, modes, 1, start, tolerance, seed)
    return on_tiles(least_squares, options, run)


@iterate_step(checkpoint=10)
def dm(
    like: Diffraction,
    *,
    iterations: int = 100,
    modes: int = 1,
    beta: float = 1.0,
    overlap_steps: int = 1,
    probe_from: int = 1,
    averaged: int = 10,
    devices: int = 1,
    subpixel: bool = True,
    start: Start = "data",
    tolerance: float = 0.0,
    seed: int = 0,
) -> Iteration[Running, Diffraction, ObjectAndProbe]:
    """Object and probe by the difference map, which keeps a wave for every frame and mode.

    beta : relaxation, 1 for the difference map itself; overlap_steps : times object and probe are
    made to agree with the waves, per iteration; averaged : iterations the result is the mean of;
    devices : among which frames and waves are shared out; the others are those of rpie. Source:
    P. Thibault et al., Ultramicroscopy 109, 338 (2009).
    """
    experiment = Experiment.of(like)
    options = difference_map.DifferenceMapOptions(
        propagator=experiment.propagator,
        beta=beta,
        overlap_steps=overlap_steps,
        probe_from=probe_from,
        memory=averaged,
        devices=available(devices),
        subpixel=subpixel,
        seed=seed,
    )
    run = Run(like, experiment, iterations, modes, 1, start, tolerance, seed)
    return on_all(difference_map, options, run)


@iterate_step(checkpoint=10)
def raar(
    like: Diffraction,
    *,
    iterations: int = 100,
    modes: int = 1,
    beta: float = 0.75,
    overlap_steps: int = 1,
    probe_from: int = 1,
    averaged: int = 10,
    devices: int = 1,
    subpixel: bool = True,
    start: Start = "data",
    tolerance: float = 0.0,
    seed: int = 0,
) -> Iteration[Running, Diffraction, ObjectAndProbe]:
    """Object and probe by relaxed averaged alternating reflections; as much memory as dm.

    beta : relaxation, larger wanders more; the others are those of dm. Source: D. R. Luke, Inverse
    Problems 21, 37 (2005).
    """
    experiment = Experiment.of(like)
    options = relaxed.RAAROptions(
        propagator=experiment.propagator,
        beta=beta,
        overlap_steps=overlap_steps,
        probe_from=probe_from,
        memory=averaged,
        devices=available(devices),
        subpixel=subpixel,
        seed=seed,
    )
    run = Run(like, experiment, iterations, modes, 1, start, tolerance, seed)
    return on_all(relaxed, options, run)


@iterate_step(checkpoint=5, over="frame", tile="frames_per_tile")
def adam(
    like: Diffraction,
    *,
    iterations: int = 100,
    modes: int = 1,
    slices: int = 1,
    slice_distance: SliceDistance = None,
    object_rate: float = 0.03,
    probe_rate: float = 0.05,
    position_rate: Pixels = 0.0,
    background: bool = False,
    fluctuation: bool = False,
    group: int = 16,
    likelihood: Likelihood = "amplitude",
    devices: int = 1,
    subpixel: bool = True,
    start: Start = "data",
    tolerance: float = 0.0,
    frames_per_tile: int = 256,
    seed: int = 0,
) -> TiledIteration[Any, Diffraction, ObjectAndProbe]:
    """Object and probe by gradients through the whole model (Adam), tile by tile.

    object_rate, probe_rate, position_rate : lengths of a step, the probe's over the root of its
    mean intensity; 0 leaves positions alone; group : frames that share a step; devices : among
    which those are shared out; the others are those of rpie. Source: D. Kingma, J. Ba,
    arXiv:1412.6980 (2014).
    """
    experiment = Experiment.of(like)
    between = experiment.between(slices, slice_distance)
    options = gradient.AdamOptions(
        model=Model(experiment.propagator, between, likelihood, subpixel),
        object_rate=object_rate,
        probe_rate=probe_rate,
        position_rate=position_rate,
        background=background,
        fluctuation=fluctuation,
        group=group,
        devices=available(devices),
        seed=seed,
    )
    run = Run(like, experiment, iterations, modes, slices, start, tolerance, seed)
    return on_tiles(gradient, options, run)


@iterate_step(checkpoint=5)
def lbfgs(
    like: Diffraction,
    *,
    iterations: int = 60,
    modes: int = 1,
    slices: int = 1,
    slice_distance: SliceDistance = None,
    pairs: int = 8,
    likelihood: Likelihood = "amplitude",
    devices: int = 1,
    subpixel: bool = True,
    start: Start = "data",
    tolerance: float = 0.0,
    seed: int = 0,
) -> Iteration[Running, Diffraction, ObjectAndProbe]:
    """Object and probe by quasi-Newton steps on the likelihood of all frames (L-BFGS).

    pairs : of steps and changes of the slope that tell the curvature; devices : among which the
    frames are shared out; the others are those of rpie. Source: J. Nocedal, S. Wright, Numerical
    Optimization, algorithm 7.5 (2006).
    """
    experiment = Experiment.of(like)
    between = experiment.between(slices, slice_distance)
    options = quasi_newton.LBFGSOptions(
        model=Model(experiment.propagator, between, likelihood, subpixel),
        memory=pairs,
        devices=available(devices),
        seed=seed,
    )
    run = Run(like, experiment, iterations, modes, slices, start, tolerance, seed)
    return on_all(quasi_newton, options, run)
