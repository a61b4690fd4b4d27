"""Curves and cakes next to pyFAI's, from the same frame in the same run.

The radial range is stated, and both use the same bins: pyFAI widens a range by one float32 epsilon
(`EPS` below) and keeps corners of pixels in float32, so that the same is done here to what our
own geometry gives. Bins that are left out, because pyFAI departs from its own definition there:

- the bins that pixels cut by an end of the range reach, one or two at each end: pyFAI gives the
  part of a pixel outside the range to bins inside (a test below holds ours to a wider range);
- the bins reached by the pixel that holds the beam, whose four corners are no polygon in
  (radial, azimuthal) space: pyFAI takes their area all the same;
- in cakes, the bins that pixels across ±π reach: pyFAI drops the part beyond.

Full splitting far from the beam: pyFAI adds areas below edges, up to π high, in float32, and areas
of small pixels are small differences of them: its shares are wrong by up to 1e-4. That averages out
but where a bin holds few counts; there, curves of a distant upright detector are not compared.

Cakes with dark counts: pyFAI adds them to the variance in two dimensions and not in one. Ours are
known and never do, so that errors of cakes are compared without.

The azimuthal error: pyFAI's compiled engine adds pixels one by one by a recurrence that depends on
their order (its source says that it is not correct); ours is the defined sum. Its own two-pass
form, right without splitting, is the yardstick there, and the recurrence applied to our shares has
to give its compiled numbers with splitting.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from lightwell_saxs.kernels.averaging import ErrorModel
from lightwell_saxs.kernels.compiled import average, compiled_plan
from lightwell_saxs.kernels.corrections import pixel_weights
from lightwell_saxs.kernels.geometry import Geometry, PixelPositions, pixel_positions
from lightwell_saxs.kernels.splitting import Axis, Operator, Splitting, build_operator, full_range

P99, MOST = 1e-5, 1e-4
EPS = 1.0 + float(np.finfo(np.float32).eps)
THEIRS = {"none": "no", "bbox": "bbox", "full": "full", "levelled": "full"}
TILTED = Geometry(0.3, 0.09, 0.08, 0.1, -0.05, 0.2, 172e-6, 172e-6, 1e-10)


class Shot(NamedTuple):
    """A frame with everything that belongs to it."""

    image: Any
    mask: Any
    geometry: Geometry
    flat: Any = None
    dark: Any = None


def simulated(side: int, geometry: Geometry = TILTED) -> Shot:
    rng = np.random.default_rng(side)
    shape = (side, side)
    q = pixel_positions(geometry, shape).radial
    counts = 200 * np.exp(-((q / 8) ** 2)) * (1 + np.sin(3 * q) ** 2) + 20
    mask = np.zeros(shape, np.int8)
    mask[side // 5 : side // 5 + 17] = 1
    mask[rng.random(shape) < 0.002] = 1
    flat, dark = rng.normal(1, 0.03, shape), rng.random(shape) * 3
    return Shot(rng.poisson(counts * flat + dark).astype(np.int32), mask, geometry, flat, dark)


def cerium_oxide(shared_data: Path) -> Shot:
    import fabio

    folder = shared_data / "saxs_waxs" / "dioptas"
    image = fabio.open(str(folder / "CeO2_Pilatus1M.tif")).data[::-1].astype(np.int32)
    angles = (-0.0184422457059, 0.00413760084465, -2.77645988275e-08)
    place = (0.208651380603, 0.0872948482846, 0.0799601126306)
    return Shot(
        np.ascontiguousarray(image),
        (image < 0).astype(np.int8),
        Geometry(*place, *angles, 172e-6, 172e-6, 4.066e-11),
    )


def silver_behenate(shared_data: Path) -> Shot:
    import fabio

    image = fabio.open(str(shared_data / "saxs_waxs" / "als733" / "AgB_5s_hi_2m.edf")).data
    place = (1.839, 1455.5 * 172e-6, 673.6 * 172e-6)
    geometry = Geometry(*place, 0, 0, 0, 172e-6, 172e-6, 1.2398e-10)
    return Shot(image.astype(np.int32), (image < 0).astype(np.int8), geometry)


class Both:
    """One frame integrated by pyFAI and by ours, with the same corrections."""

    def __init__(self, shot: Shot, corrections: dict[str, Any]) -> None:
        from pyFAI.detectors import Detector
        from pyFAI.integrator.azimuthal import AzimuthalIntegrator

        g, shape = shot.geometry, shot.image.shape
        detector = Detector(g.pixel1, g.pixel2, max_shape=shape, orientation=g.orientation)
        names = ("poni1", "poni2", "rot1", "rot2", "rot3", "wavelength")
        facts = {name: getattr(g, name) for name in names}
        self.peer = AzimuthalIntegrator(dist=g.distance, detector=detector, **facts)
        self.shot, self.corrections, self.shape = shot, corrections, shape
        self.valid = shot.mask == 0
        exact = pixel_positions(g, shape)
        corners = (exact.radial_corners, exact.azimuth_corners)
        rounded = (c.astype(np.float32).astype(np.float64) for c in corners)
        self.places = PixelPositions(exact.radial, exact.azimuth, *rounded)
        self.reach = self._reach_of_the_beam()

    def _reach_of_the_beam(self) -> float:
        chi = self.places.azimuth_corners
        turns = np.diff(chi, axis=-1, append=chi[..., :1])
        turns = (turns + np.pi) % (2 * np.pi) - np.pi
        holds = np.abs(turns.sum(axis=-1)) > np.pi
        return float(self.places.radial_corners[holds].max()) if holds.any() else 0.0

    def weight(self) -> Any:
        ours = {
            "polarisation_factor": self.corrections.get("polarisation"),
            "sensor_transmission": self.corrections.get("sensor"),
        }
        found = pixel_weights(self.shot.geometry, self.shape, **ours)
        if self.corrections.get("flat"):
            found = found * self.shot.flat
        return np.where(self.valid, found, 0.0)

    def theirs(self) -> dict[str, Any]:
        given = self.corrections
        flat = self.shot.flat if given.get("flat") else None
        if "sensor" in given:
            # Its cakes take no absorption; both are factors of the normalisation.
            absorbed = self.peer.calc_transmission(given["sensor"], self.shape)
            flat = absorbed if flat is None else flat * absorbed
        return {
            "unit": "q_nm^-1",
            "mask": self.shot.mask,
            "polarization_factor": given.get("polarisation"),
            "flat": flat,
            "dark": self.shot.dark if given.get("dark") else None,
            "dummy": given.get("dummy"),
            "delta_dummy": given.get("delta_dummy"),
        }

    def ours(self, operator: Operator, errors: ErrorModel) -> tuple[Any, Any]:
        dark = self.shot.dark if self.corrections.get("dark") else None
        plan = compiled_plan(operator, self.weight(), dark)
        rule = {"dummy": self.corrections.get("dummy")}
        delta = self.corrections.get("delta_dummy", 0.0)
        flat = self.shot.image.reshape(1, -1)
        mean, sigma = average(flat, plan, errors=errors, delta_dummy=delta, **rule)
        return mean[0], sigma[0]

    def operator(
        self, limits: tuple[float, float], bins: int, splitting: Splitting, **more: Any
    ) -> Operator:
        axis = Axis(limits[0], limits[1] * EPS, bins)
        return build_operator(self.places, self.valid, axis, splitting=splitting, **more)


def figures(ours: Any, theirs: Any, where: Any) -> tuple[float, float]:
    """99th percentile and maximum of the relative difference; both have to be empty alike."""
    differ = (theirs == 0) & where & np.isfinite(ours) & (ours != 0)
    # Slivers of pixels, which float32 shows to one of them only.
    assert differ.sum() <= 1e-3 * where.sum()
    seen = where & (theirs != 0) & np.isfinite(ours)
    assert seen.sum() > 40
    difference = np.abs(ours[seen] / theirs[seen] - 1)
    return float(np.percentile(difference, 99)), float(difference.max())


def check(ours: Any, theirs: Any, where: Any) -> None:
    p99, most = figures(ours, theirs, where)
    assert p99 <= P99
    assert most <= MOST


def bins_to_compare(both: Both, limits: tuple[float, float], bins: int) -> Any:
    edges = np.linspace(*limits, bins + 1)
    corners = both.places.radial_corners[both.valid]
    low, high = corners.min(axis=1), corners.max(axis=1)
    where = edges[:-1] >= both.reach
    for limit in limits:
        cut = (low < limit) & (limit < high)
        if cut.any():
            where &= (edges[1:] <= low[cut].min()) | (edges[:-1] >= high[cut].max())
    return where


ALL: dict[str, Any] = {"polarisation": 0.95, "sensor": 0.7, "flat": True, "dark": True}
DUMMY: dict[str, Any] = {"dummy": 22, "delta_dummy": 1.5}


@pytest.fixture(scope="module", params=["bare", "all", "dummy"])
def megapixel(request: pytest.FixtureRequest, require: Any) -> Both:
    require("pyFAI")
    corrections = {"bare": {}, "all": ALL, "dummy": {**ALL, **DUMMY}}[request.param]
    return Both(simulated(1000), corrections)


@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "inner"])
def test_curves_of_a_megapixel(megapixel: Both, splitting: Splitting, is_whole: bool) -> None:
    _, high = full_range(megapixel.places, megapixel.valid)
    limits = (0.0, 1.001 * high) if is_whole else (0.1 * high, 0.7 * high)
    _check_curve(megapixel, limits, 1000, splitting)


def _check_curve(
    both: Both, limits: tuple[float, float], bins: int, splitting: Splitting, **sector: Any
) -> None:
    more = {"azimuth_range": sector.pop("degrees")} if sector else {}
    found = both.peer.integrate1d_ng(
        both.shot.image,
        bins,
        radial_range=limits,
        method=(THEIRS[splitting], "csr", "cython"),
        error_model="poisson",
        **both.theirs(),
        **more,
    )
    intensity, sigma = both.ours(both.operator(limits, bins, splitting, **sector), "poisson")
    where = bins_to_compare(both, limits, bins)
    if splitting == "full" and both.shot.geometry.distance > 1:
        where &= found.sum_signal > 1000
    check(intensity, found.intensity, where)
    check(sigma, found.sigma, where)


@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
@pytest.mark.parametrize("degrees", [(-35.0, 50.0), (60.0, 125.0)])
def test_sectors(splitting: Splitting, degrees: tuple[float, float], require: Any) -> None:
    require("pyFAI")
    both = Both(simulated(400, TILTED._replace(poni1=0.045, poni2=0.035)), {})
    _, high = full_range(both.places, both.valid)
    sector = (np.radians(degrees[0]), np.radians(degrees[1]))
    _check_curve(both, (0.0, 1.01 * high), 300, splitting, sector=sector, degrees=degrees)


@pytest.mark.parametrize("splitting", ["none", "bbox", "levelled"])
@pytest.mark.parametrize("is_dark", [True, False])
def test_cakes_of_a_megapixel(splitting: Splitting, is_dark: bool, require: Any) -> None:
    require("pyFAI")
    _check_cake(Both(simulated(1000), {**ALL, "dark": is_dark}), splitting)


def _check_cake(both: Both, splitting: Splitting) -> None:
    intensity, sigma, found, where = _cakes(both, splitting)
    check(intensity, found.intensity, where)
    if not both.corrections.get("dark"):
        check(sigma, found.sigma, where)


def _cakes(both: Both, splitting: Splitting) -> tuple[Any, Any, Any, Any]:
    _, high = full_range(both.places, both.valid)
    limits, bins, around = (0.0, 1.001 * high), 500, 180
    found = both.peer.integrate2d_ng(
        both.shot.image,
        bins,
        around,
        radial_range=limits,
        azimuth_range=(-180, 180),
        method=(THEIRS[splitting], "csr", "cython"),
        error_model="poisson",
        **both.theirs(),
    )
    turn = Axis(-np.pi, np.pi * EPS, around)
    operator = both.operator(limits, bins, splitting, azimuthal=turn)
    intensity, sigma = (a.reshape(around, bins) for a in both.ours(operator, "poisson"))
    where = np.tile(bins_to_compare(both, limits, bins), (around, 1))
    where &= ~_reached_by_pixels_across_pi(both, operator).reshape(around, bins)
    # A hundredth of a pixel: what is less is the rounding of pyFAI's float32 areas.
    where &= found.count > 0.01
    if splitting == "levelled":
        # pyFAI 2026.9.0 shares one pixel of the megapixel between its two cells otherwise from call
        # to call: their counts were 7.41 and 1.06, 7.86 and 0.62, 8.43 and 0.05 in one evening.
        shares = operator.sums(np.ones(both.shape)).reshape(around, bins)
        differ = np.where(where, np.abs(found.count - shares), 0.0)
        where.reshape(-1)[np.argsort(differ, axis=None)[-2:]] = False
    return intensity, sigma, found, where


def _reached_by_pixels_across_pi(both: Both, operator: Operator) -> Any:
    chi = both.places.azimuth_corners.reshape(-1, 4)
    across = np.ptp(chi, axis=1) > np.pi
    entries = across[operator.pixels].astype(np.float64)
    cell = np.repeat(np.arange(operator.bins), np.diff(operator.pointer))
    return np.bincount(cell, entries, operator.bins) > 0


def test_a_cake_of_exact_areas_differs_from_pyfais_by_the_level_edges_alone(require: Any) -> None:
    """Exact shares cannot be compared cell by cell; whole rings of cells can."""
    require("pyFAI")
    both = Both(simulated(600, TILTED._replace(poni1=0.045, poni2=0.035)), {})
    intensity, _, found, where = _cakes(both, "full")
    _, most = figures(intensity, found.intensity, where)
    assert MOST < most < 0.5
    seen = where & (found.intensity > 0) & np.isfinite(intensity)
    assert np.median(np.abs(intensity[seen] / found.intensity[seen] - 1)) < 2e-3


def test_azimuthal_errors_without_splitting_are_those_of_pyfais_two_passes(require: Any) -> None:
    require("pyFAI")
    both = Both(simulated(1000), {**ALL, "dark": False})
    _, high = full_range(both.places, both.valid)
    limits = (0.0, 1.001 * high)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = both.peer.integrate1d_ng(
            both.shot.image,
            1000,
            radial_range=limits,
            method=("no", "csr", "python"),
            error_model="azimuthal",
            **both.theirs(),
        )
    _, sigma = both.ours(both.operator(limits, 1000, "none"), "azimuthal")
    # Its sums are float32, over up to 3000 pixels, and a spread of two pixels is rounding alone.
    where = bins_to_compare(both, limits, 1000) & (found.count > 20)
    check(sigma, found.sigma, where)


@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
def test_azimuthal_errors_with_splitting_are_pyfais_but_for_its_recurrence(
    splitting: Splitting, require: Any
) -> None:
    require("pyFAI")
    both = Both(simulated(300, TILTED._replace(poni1=0.045, poni2=0.035)), {})
    _, high = full_range(both.places, both.valid)
    limits = (0.0, 1.01 * high)
    found = both.peer.integrate1d_ng(
        both.shot.image,
        200,
        radial_range=limits,
        method=(THEIRS[splitting], "csr", "cython"),
        error_model="azimuthal",
        **both.theirs(),
    )
    operator = both.operator(limits, 200, splitting)
    where = bins_to_compare(both, limits, 200)
    one_by_one = np.array(list(_recurrence(operator, both.shot.image, both.weight())))
    check(one_by_one, found.sigma, where)
    _, sigma = both.ours(operator, "azimuthal")
    # The recurrence is off by a few parts in a hundred at most, more where pixels are few.
    many = where & (np.diff(operator.pointer) > 100)
    assert np.max(np.abs(sigma[many] / found.sigma[many] - 1)) < 0.03


def _recurrence(operator: Operator, image: Any, weight: Any) -> Iterator[float]:
    """Add pixels to each bin one by one: variance += ω² (x - mean before) (x - mean after)."""
    counts = image.ravel().astype(np.float64)
    factors = weight.ravel().astype(np.float32).astype(np.float64)
    for start, stop in zip(operator.pointer[:-1], operator.pointer[1:], strict=True):
        shares = operator.coefficients[start:stop].astype(np.float64)
        pixels = operator.pixels[start:stop]
        signal = norm = variance = 0.0
        for share, count, factor in zip(shares, counts[pixels], factors[pixels], strict=True):
            if norm > 0:
                before = signal / norm - count / factor
                after = (signal + share * count) / (norm + share * factor) - count / factor
                variance += (share * factor) ** 2 * before * after
            signal, norm = signal + share * count, norm + share * factor
        yield np.sqrt(variance) / norm if norm else np.nan


@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
@pytest.mark.parametrize("take", [cerium_oxide, silver_behenate])
def test_curves_of_real_frames(
    take: Any, splitting: Splitting, shared_data: Path, require: Any
) -> None:
    require("pyFAI")
    both = Both(take(shared_data), {"polarisation": 0.95, "dummy": -2, "delta_dummy": 1.5})
    _, high = full_range(both.places, both.valid)
    _check_curve(both, (0.0, 1.001 * high), 1000, splitting)


@pytest.mark.parametrize("splitting", ["none", "bbox", "levelled"])
def test_cakes_of_a_real_frame(splitting: Splitting, shared_data: Path, require: Any) -> None:
    require("pyFAI")
    _check_cake(Both(cerium_oxide(shared_data), {"polarisation": 0.95}), splitting)


@pytest.mark.slow
@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
def test_curves_of_four_megapixels(splitting: Splitting, require: Any) -> None:
    require("pyFAI")
    upright = Geometry(1.1, 0.17, 0.16, 0.02, -0.01, 0.0, 172e-6, 172e-6, 1e-10, 2)
    both = Both(simulated(2000, upright), {"polarisation": 0.95})
    _, high = full_range(both.places, both.valid)
    _check_curve(both, (0.0, 1.001 * high), 1500, splitting)


@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
def test_the_bins_at_the_edges_of_a_range_are_those_of_a_wider_one(splitting: Splitting) -> None:
    shot = simulated(200)
    places, valid = pixel_positions(shot.geometry, shot.image.shape), shot.mask == 0
    _, high = full_range(places, valid)
    wide, narrow = Axis(0.0, high, 100), Axis(0.2 * high, 0.6 * high, 40)
    whole = build_operator(places, valid, wide, splitting=splitting).sums(shot.image)
    part = build_operator(places, valid, narrow, splitting=splitting).sums(shot.image)
    np.testing.assert_allclose(part, whole[20:60], rtol=1e-6)


def test_cerium_oxide_curve_shipped_with_the_data(shared_data: Path, require: Any) -> None:
    """Correlation with the curve of the origin, after the flip that its README names."""
    require("fabio")
    shot = cerium_oxide(shared_data)
    path = shared_data / "saxs_waxs" / "dioptas" / "CeO2_Pilatus1M.xy"
    angle, curve = np.loadtxt(path, comments="#", unpack=True)
    places = pixel_positions(shot.geometry, shot.image.shape, "2theta")
    width = angle[1] - angle[0]
    axis = Axis(angle[0] - width / 2, angle[-1] + width / 2, len(angle))
    # Its header says that no mask was applied.
    operator = build_operator(places, np.ones_like(shot.mask, bool), axis, splitting="bbox")
    plan = compiled_plan(operator, pixel_weights(shot.geometry, shot.image.shape))
    mean, _ = average(shot.image.reshape(1, -1), plan)
    seen = np.isfinite(mean[0])
    assert np.corrcoef(mean[0][seen], curve[seen])[0, 1] >= 0.9997
