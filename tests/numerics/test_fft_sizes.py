"""Fast lengths of Fourier transforms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwell_numerics.fft_sizes import fast_length


@given(st.integers(0, 5000), st.sampled_from([1, 2, 4, 16, 30]))
def test_length_is_the_smallest_smooth_multiple(least: int, multiple: int) -> None:
    found = fast_length(least, multiple)
    smooth = [2**a * 3**b * 5**c for a in range(15) for b in range(9) for c in range(7)]
    assert found == min(n for n in smooth if n >= max(least, 1) and n % multiple == 0)


def test_a_multiple_with_another_prime_is_refused() -> None:
    with pytest.raises(ValueError, match="product of 2, 3 and 5"):
        fast_length(100, 14)
