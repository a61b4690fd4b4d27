from pathlib import Path

import pytest


@pytest.fixture
def saxs_data(shared_data: Path) -> Path:
    """Real files of scattering, with a README that says what is known of each."""
    return shared_data / "saxs_waxs"
