"""Pictures of a scan on its way: frame with rings of constant q, curve, map, and every analysis."""

from typing import TYPE_CHECKING, Any

from lightwell import Preview
from lightwell_saxs.plots import Picture, curve_plot, even_steps, fit_plot
from lightwell_saxs.products import (
    Cake,
    Curves,
    Diffractograms,
    Frames,
    GrazingCuts,
    GrazingMaps,
    RingProfiles,
)
from lightwell_saxs.profiles import AbsoluteProfiles, AverageProfile, Profiles, ReducedProfiles
from lightwell_saxs.tables import DistanceCurves, GuinierTable, KratkyCurves, ParticleTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PREVIEWS"]


def _frame(frames: Frames) -> "NDArray[Any]":
    """Logarithm of the counts; dashed rings of round values of q, with the values on them."""
    import numpy as np

    from lightwell_saxs.kernels.geometry import Geometry, pixel_positions

    image = np.asarray(frames.frames[0], np.float64)
    seen = (np.asarray(frames.mask) == 0) & (image >= 0)
    light = np.where(seen, np.log1p(np.maximum(image, 0.0)), 0.0)
    places = pixel_positions(Geometry.of(np.asarray(frames.geometry)), image.shape)
    # The brightest that the picture shows: it clips half a percent.
    return _with_rings(light, places, float(np.percentile(light, 99.5)))


def _with_rings(light: "NDArray[Any]", places: Any, bright: float) -> "NDArray[Any]":
    import numpy as np
    from PIL import Image, ImageDraw

    q, turn = places.radial, places.azimuth
    width = max(light.shape) / 700
    reach = np.ptp(places.radial_corners, axis=-1) * 0.5 * max(width, 1.0)
    drawn = Image.new("L", light.shape[::-1], 0)
    pen = ImageDraw.Draw(drawn)
    on_ring = np.zeros(light.shape, np.bool_)
    for value in even_steps(float(q.min()), float(q.max())):
        ring = np.abs(q - value) < reach
        on_ring |= ring & (np.degrees(turn) % 8 < 4)
        places_of_ring = np.argwhere(ring)
        if len(places_of_ring):
            # Where the ring is highest in the picture, or farthest left.
            row, column = places_of_ring[np.argmin(places_of_ring.sum(axis=1))]
            pen.text((int(column) + 4, int(row) + 4), f"{value:g}", fill=255, font_size=20 * width)
    lit = on_ring | (np.asarray(drawn) > 127)
    return np.where(lit, bright, np.minimum(light, bright) * 0.85)


def _map(intensity: Any) -> Picture:
    """Logarithm of an intensity (row, column), rows upwards."""
    import numpy as np

    # What was not measured is black.
    shown = np.maximum(np.nan_to_num(np.asarray(intensity, np.float64)), 0.0)
    return np.asarray(np.log1p(shown)[::-1])


def _cake(cake: Cake) -> Picture:
    return _map(cake.intensity[0])


def _grazing(found: GrazingMaps) -> Picture:
    return _map(found.intensity[0])


def _curve(curves: Curves | Profiles) -> Picture:
    return curve_plot(curves.q, curves.intensity[0], curves.sigma[0], "q, 1/nm")


def _mean(mean: AverageProfile) -> Picture:
    return curve_plot(mean.q, mean.intensity, mean.sigma, "q, 1/nm")


def _diffractogram(found: Diffractograms) -> Picture:
    return curve_plot(found.two_theta, found.intensity[0], found.sigma[0], "2 theta, degree")


def _ring(found: RingProfiles) -> Picture:
    x, y, sigma = found.azimuth, found.intensity[0], found.sigma[0]
    return curve_plot(x, y, sigma, "azimuth, degree", logarithmic=False)


def _cut(found: GrazingCuts) -> Picture:
    return curve_plot(found.q, found.intensity[0], found.sigma[0], "q, 1/nm")


def _guinier(table: GuinierTable) -> Picture:
    """The logarithm of the intensity over q² to a little beyond the range, and its line."""
    import numpy as np

    q, curve = np.asarray(table.q, np.float64), np.asarray(table.intensity[0], np.float64)
    spread, rg, i0 = np.asarray(table.sigma[0]), float(table.rg[0]), float(table.i0[0])
    point, last = np.arange(len(q)), float(table.last[0])
    shown = (point <= 1.5 * last + 2) if np.isfinite(last) else np.ones(len(q), np.bool_)
    shown &= curve > 0
    inside = (point >= float(table.first[0])) & (point <= last)
    line = np.where(inside, np.log(max(i0, 1e-300)) - (q * rg) ** 2 / 3.0, np.nan)
    safe = np.where(curve > 0, curve, 1.0)
    x, y, sigma, fitted = (part[shown] for part in (q**2, np.log(safe), spread / safe, line))
    label = f"q^2, 1/nm^2; ln I; Rg = {rg:.4g} ± {float(table.rg_sigma[0]):.2g} nm"
    return fit_plot(x, y, sigma, fitted, label, logarithmic=False)


def _particles(table: ParticleTable) -> Picture:
    curve = (table.q, table.intensity[0], table.sigma[0], table.fitted[0])
    return fit_plot(*curve, f"q, 1/nm; chi² = {float(table.chi_squared[0]):.3g}")


def _distances(found: DistanceCurves) -> Picture:
    """p(r) with its band, from 0 to the largest distance."""
    import numpy as np

    ends = np.array([0.0]), np.array([float(found.largest[0])])
    r = np.concatenate([ends[0], found.r[0], ends[1]])
    p, sigma = (np.pad(np.asarray(part[0]), 1) for part in (found.p, found.p_sigma))
    label = f"r, nm; p(r); Rg = {float(found.rg[0]):.4g} ± {float(found.rg_sigma[0]):.2g} nm"
    return curve_plot(r, p, sigma, label, logarithmic=False)


def _kratky(found: KratkyCurves) -> Picture:
    x, y, sigma = found.q_rg[0], found.kratky[0], found.sigma[0]
    return curve_plot(x, y, sigma, "q·Rg; (q·Rg)^2 I/I(0)", logarithmic=False)


PREVIEWS = (
    Preview("frame", Frames, "frame", _frame),
    Preview("curve", Curves, "frame", _curve),
    Preview("diffractogram", Diffractograms, "frame", _diffractogram),
    Preview("cake", Cake, "frame", _cake),
    Preview("ring", RingProfiles, "frame", _ring),
    Preview("grazing", GrazingMaps, "frame", _grazing),
    Preview("line", GrazingCuts, "frame", _cut),
    Preview("profile", Profiles, "frame", _curve),
    Preview("reduced", ReducedProfiles, "frame", _curve),
    Preview("absolute", AbsoluteProfiles, "frame", _curve),
    Preview("mean", AverageProfile, "measurement", _mean),
    Preview("guinier", GuinierTable, "frame", _guinier),
    Preview("particles", ParticleTable, "frame", _particles),
    Preview("distances", DistanceCurves, "frame", _distances),
    Preview("kratky", KratkyCurves, "frame", _kratky),
)
