"""Ring and shell correlation of arrays whose agreement is known."""

import numpy as np
import pytest

from lightwell_numerics.shell_correlation import ShellCorrelation, shell_correlation


def test_an_array_agrees_with_itself_at_all_frequencies() -> None:
    image = np.random.default_rng(0).standard_normal((40, 56))
    found = shell_correlation(image, 3.0 * image)
    np.testing.assert_allclose(found.correlation, 1.0, atol=1e-9)
    assert found.crossing() is None
    assert found.frequency[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(128, 128), (32, 40, 36)])
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_independent_noise_agrees_nowhere(shape: tuple[int, ...], kind: str) -> None:
    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((2, *shape))
    if kind == "complex":
        one, other = one + 1j * rng.standard_normal(shape), other + 1j * rng.standard_normal(shape)
    found = shell_correlation(one, other)
    # One over the root of the number of samples; half of those of a real array are mirrored.
    assert np.abs(found.correlation[10:]).max() < 0.25
    assert abs(found.correlation[10:].mean()) < 0.03
    assert (found.correlation[5:] < found.threshold[5:]).mean() > 0.97


def test_the_crossing_is_where_signal_meets_noise() -> None:
    rng = np.random.default_rng(2)
    side = 256
    reach = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    # Signal of constant power up to 0.2 cycles per pixel, none beyond.
    signal = np.fft.ifft2(np.fft.fft2(rng.standard_normal((side, side))) * (reach < 0.2)).real
    halves = [signal + 0.3 * rng.standard_normal((side, side)) for _ in range(2)]
    assert shell_correlation(*halves).crossing() == pytest.approx(0.2, abs=0.006)


def test_the_threshold_is_half_a_bit() -> None:
    found = shell_correlation(*np.random.default_rng(3).standard_normal((2, 400, 400)))
    # Without end: 0.2071 / 1.2071, the correlation of halves of that signal-to-noise ratio.
    assert 0.17157 < found.threshold[-1] < 0.24
    assert (np.diff(found.threshold[::20]) < 0).all()


def test_signal_of_a_known_ratio_to_noise_correlates_as_it_has_to() -> None:
    rng = np.random.default_rng(4)
    signal = rng.standard_normal((256, 256))
    halves = [signal + 2.0 * rng.standard_normal((256, 256)) for _ in range(2)]
    # SNR / (SNR + 1) with SNR 1/4.
    assert shell_correlation(*halves).correlation[20:].mean() == pytest.approx(0.2, abs=0.02)


def test_a_dip_ends_nothing_and_the_last_shells_count() -> None:
    frequency = np.arange(1, 9) / 16
    threshold = np.full(8, 0.2)
    dipped = np.array([1, 0.9, 0.1, 0.8, 0.6, 0.3, 0.1, 0.0])
    found = ShellCorrelation(frequency, dipped, threshold).crossing()
    assert found == pytest.approx(6.5 / 16)
    assert ShellCorrelation(frequency, np.zeros(8), threshold).crossing() == 1 / 16


def test_what_the_window_cuts_off_does_not_count() -> None:
    rng = np.random.default_rng(5)
    signal = rng.standard_normal((128, 128))
    one, other = signal.copy(), signal.copy()
    other[:40] = 9 * rng.standard_normal((40, 128))
    window = np.zeros((128, 128))
    window[44:] = np.hanning(84)[:, None] * np.hanning(128)
    assert shell_correlation(one, other).correlation.mean() < 0.6
    assert shell_correlation(one, other, window=window).correlation.min() > 0.999


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be correlated"):
        shell_correlation(np.zeros((3, 4)), np.zeros((4, 3)))
