"""Steps as functions, on small arrays, as people call them in a notebook."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from lightwell.errors import JunctionError, ParameterError
from lightwell_tomography.phantoms import project, rasterise, shepp_logan
from lightwell_tomography.products import Projections, Scan, Sinograms, Volume
from lightwell_tomography.steps import (
    find_axis,
    minus_log,
    normalise,
    reconstruct,
    remove_stripes,
)

WIDTH, ROWS, AXIS = 64, 20, 34.3
DEGREES = np.linspace(0.0, 180.0, 97)
SLICES = shepp_logan(ROWS, attenuation=0.02, height=0.6)


@cache
def _paths() -> Any:
    return project(SLICES, DEGREES, WIDTH, AXIS)


@cache
def _scan() -> Scan:
    """A scan without noise, in a beam that falls from 5000 to 4000 counts."""
    beam = np.linspace(5000.0, 4000.0, len(DEGREES) + 1)
    frames = 100.0 + beam[:-1, None, None] * np.exp(-_paths())
    flats = 100.0 + beam[[0, 0, -1]][:, None, None] * np.ones((3, ROWS, WIDTH))
    darks = np.full((2, ROWS, WIDTH), 100.0)
    positions = [0, 0, len(DEGREES)]
    return Scan.taken(frames.astype("float32"), flats.astype("float32"), darks, DEGREES, positions)


def _rows(product: Any, rows: slice) -> Any:
    """The product cut to some detector rows, as the engine cuts it."""
    cut = {}
    for name, dims in product.dims().items():
        index = tuple(rows if axis == "row" else slice(None) for axis in dims.names)
        cut[name] = np.asarray(getattr(product, name))[index]
    return type(product).of(**cut)


def test_transmission_follows_the_beam() -> None:
    found = normalise(_scan())
    assert isinstance(found, Projections)
    np.testing.assert_allclose(found.transmission, np.exp(-_paths()), rtol=2e-6)
    np.testing.assert_array_equal(found.angles, DEGREES.astype("float32"))


def test_transmission_is_never_below_the_floor() -> None:
    scan = Scan.taken(*(np.full((1, 2, 3), value) for value in (1.0, 9.0, 1.0)), np.zeros(1))
    np.testing.assert_allclose(normalise(scan, floor=0.25).transmission, 0.25)


def test_line_integrals_are_those_of_the_phantom() -> None:
    found = minus_log(normalise(_scan()))
    assert isinstance(found, Sinograms)
    np.testing.assert_allclose(found.attenuation, _paths(), atol=3e-6)


def test_stripes_are_left_alone_unless_asked_for() -> None:
    sinograms = Sinograms.of(attenuation=_paths(), angles=DEGREES)
    np.testing.assert_array_equal(remove_stripes(sinograms).attenuation, _paths())
    striped = _paths().copy()
    striped[:, :, 20] += 0.5
    cleaned = remove_stripes(Sinograms.of(attenuation=striped, angles=DEGREES), window=9)
    assert np.abs(np.asarray(cleaned.attenuation)[:, :, 20] - _paths()[:, :, 20]).mean() < 0.05


def test_the_axis_is_found_with_sigma_and_verdict() -> None:
    found = find_axis(minus_log(normalise(_scan())))
    assert found.value == pytest.approx(AXIS, abs=0.1)
    assert found.sigma is not None
    assert found.verdict == "good"


@cache
def _volume(filtered: Any = "ramlak") -> Any:
    sinograms = Sinograms.of(attenuation=_paths(), angles=DEGREES)
    found = reconstruct(sinograms, rotation_axis=AXIS, filter=filtered)
    assert isinstance(found, Volume)
    return np.asarray(found.data)


def test_slices_are_those_of_the_phantom_about_an_axis_off_centre() -> None:
    true = rasterise(SLICES, WIDTH)
    offset = np.arange(WIDTH) - (WIDTH - 1) / 2
    inside = np.hypot(offset[:, None], offset) <= 0.9 * WIDTH / 2
    found, wanted = _volume()[:, inside], true[:, inside]
    # 64 pixels are few for a skull of two: measured 0.165.
    assert np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)) < 0.18
    assert found.mean() == pytest.approx(wanted.mean(), rel=0.01)


def test_outside_the_circle_every_angle_saw_there_is_nothing_unless_asked_for() -> None:
    assert (_volume()[:, 0, 0] == 0).all()
    sinograms = Sinograms.of(attenuation=_paths(), angles=DEGREES)
    whole = np.asarray(reconstruct(sinograms, rotation_axis=AXIS, mask=False).data)
    assert (whole[:, 0, 0] != 0).any()
    np.testing.assert_allclose(whole[:, 30:34, 30:34], _volume()[:, 30:34, 30:34], atol=1e-6)


def test_hann_is_smoother() -> None:
    assert np.abs(np.diff(_volume("hann"))).mean() < np.abs(np.diff(_volume())).mean()


@pytest.mark.parametrize("cut", [(0, 16), (16, 20), (3, 4), (7, 13)])
def test_any_rows_alone_give_what_all_rows_give(cut: tuple[int, int]) -> None:
    rows = slice(*cut)
    whole = minus_log(normalise(_scan()))
    part = minus_log(normalise(_rows(_scan(), rows)))
    np.testing.assert_allclose(part.attenuation, whole.attenuation[:, rows], atol=1e-6)
    # From here on the same numbers: where two are equal, their last bit decides how they sort.
    part = _rows(whole, rows)
    cleaned = remove_stripes(whole, window=9).attenuation[:, rows]
    np.testing.assert_allclose(remove_stripes(part, window=9).attenuation, cleaned, atol=1e-6)
    volume = reconstruct(part, rotation_axis=AXIS)
    np.testing.assert_allclose(volume.data, _volume()[rows], atol=1e-6)


def test_any_angles_alone_are_normalised_as_among_all() -> None:
    scan, chosen = _scan(), slice(40, 60)
    names = ("frames", "angles", "flat_before", "flat_after", "flat_share")
    part = Scan.of(
        **{
            name: np.asarray(array)[chosen] if name in names else np.asarray(array)
            for name, array in scan.arrays().items()
        }
    )
    whole = np.asarray(normalise(scan).transmission)
    np.testing.assert_allclose(normalise(part).transmission, whole[chosen], atol=1e-6)


def test_what_does_not_fit_is_refused() -> None:
    sinograms = Sinograms.of(attenuation=_paths(), angles=DEGREES)
    with pytest.raises(ParameterError, match="filter"):
        reconstruct(sinograms, rotation_axis=AXIS, filter="cosine")  # type: ignore[arg-type]
    with pytest.raises(JunctionError, match="angle"):
        Sinograms.of(attenuation=_paths(), angles=DEGREES[1:])
