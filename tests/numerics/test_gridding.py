"""The spreading kernel and its transform."""

import numpy as np
import pytest

from lightwell_numerics.gridding import kernel_transform, kernel_values, spreading_kernel


def test_transform_agrees_with_a_fine_sum() -> None:
    kernel = spreading_kernel(4, 1.25)
    offset = np.linspace(-2.0, 2.0, 400_001)[:-1] + 0.5e-5
    frequency = np.array([0.0, 0.17, 0.4])
    direct = np.cos(2 * np.pi * np.outer(frequency, offset)) @ kernel_values(kernel, offset) / 1e5
    np.testing.assert_allclose(kernel_transform(kernel, frequency), direct, rtol=1e-6)


def test_kernel_ends_at_its_support() -> None:
    kernel = spreading_kernel(4, 2.0)
    assert kernel_values(kernel, np.array([0.0]))[0] == 1.0
    assert not kernel_values(kernel, np.array([-2.01, 2.01, 5.0])).any()


@pytest.mark.parametrize(("support", "oversampling"), [(3, 2.0), (0, 2.0), (4, 1.0)])
def test_senseless_kernels_are_refused(support: int, oversampling: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        spreading_kernel(support, oversampling)
