"""PONI files of every version, ours and pyFAI's."""

from pathlib import Path
from typing import Any

import pytest

from lightwell.errors import InputError
from lightwell_saxs.kernels.geometry import Geometry
from lightwell_saxs.poni import poni_text, read_poni

OLD = """# first
PixelSize1: 1e-4
PixelSize2: 2e-4
Distance: 0.1
Poni1: 0.01
Poni2: 0.02
Rot1: 0.1
Rot2: 0.2
Rot3: 0.3
SplineFile: None
Wavelength: 1e-10
"""


def test_the_last_calibration_counts() -> None:
    later = OLD.replace("0.1\nPoni1", "0.5\nPoni1").replace("Rot3: 0.3\n", "")
    found = read_poni(OLD + later)
    assert (found.distance, found.rot3) == (0.5, 0.0)
    assert found.pixels == (1e-4, 2e-4)
    assert found.orientation == 3


def test_a_detector_with_a_name_has_its_pixels() -> None:
    text = (
        "poni_version: 2\nDetector: Pilatus1M\nDetector_config: {}\nDistance: 1\nPoni1: 0\nPoni2: 0"
    )
    assert read_poni(text).pixels == (172e-6, 172e-6)


def test_pyfai_reads_ours_and_we_read_pyfais(tmp_path: Path, require: Any) -> None:
    require("pyFAI")
    import pyFAI

    ours = Geometry(0.3, 0.09, 0.08, 0.1, -0.05, 0.2, 1e-4, 2e-4, 1.1e-10, 2)
    path = tmp_path / "ours.poni"
    path.write_text(poni_text(ours, (30, 40), "a note\nof two lines"))
    peer = pyFAI.load(str(path))
    names = ("poni1", "poni2", "rot1", "rot2", "rot3", "wavelength", "pixel1", "pixel2")
    assert peer.dist == ours.distance
    assert [getattr(peer, n) for n in names] == [getattr(ours, n) for n in names]
    assert int(peer.detector.orientation) == 2
    theirs = tmp_path / "theirs.poni"
    peer.save(str(theirs))
    found = read_poni(theirs.read_text())
    assert found[:7] == (*ours[:6], 2)
    assert found.pixels == (1e-4, 2e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Poni1: 0.1", "has no distance"),
        (OLD.replace("0.01", "here"), "poni1 is 'here'"),
        (OLD + 'Detector_config: {"orientation": 7}', "orientation 7"),
        (OLD + "Detector_config: {", "no JSON"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_poni(text)
