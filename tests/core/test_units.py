import sys
from subprocess import run

import pytest
from pydantic import TypeAdapter, ValidationError

from lightwell import units
from lightwell.errors import UnitError
from lightwell.units import Ampere, ElectronVolt, Metre, Unit, convert, fits, resolve_unit

SAME = [
    ("μm", None, "um"),
    ("µm", None, "um"),
    ("microns", None, "micron"),
    ("micrometer", None, "um"),
    ("Degrees", None, "degree"),
    ("deg", None, "degree"),
    ("Angstrom^-1", None, "1/angstrom"),
    ("Å", None, "angstrom"),
    ("A", "NX_WAVELENGTH", "angstrom"),
    ("1/A", "WAVENUMBER", "1/angstrom"),
    ("A", "NX_CURRENT", "ampere"),
    ("amps", None, "ampere"),
    ("C", "NX_TEMPERATURE", "degC"),
    ("m2", None, "m**2"),
    ("g/cm3", None, "g/cm**3"),
    ("s-1", None, "1/s"),
    ("[cm]", None, "cm"),
    ("eV\r", None, "eV"),
    ("px", None, "pixel"),
    ("Counts", None, "counts"),
    ("electrons/nm3", None, "electron/nm**3"),
    ("1e-3 m", None, "0.001 m"),
]
NO_UNIT = ["", "none", "any", "arbitrary", "a.u.", "NX_ANY", "ISO8601", "density"]
NONSENSE = ["parsec", "MM", "KEV", "A (ampere)", "9**9**9**9", "3", "m m (", "import os", "A", "C"]


@pytest.mark.parametrize(("text", "category", "meaning"), SAME)
def test_spellings_of_real_files(text: str, category: str | None, meaning: str) -> None:
    assert resolve_unit(text, category) == meaning
    assert resolve_unit(meaning, category) == meaning


@pytest.mark.parametrize("text", NO_UNIT)
def test_words_for_no_unit(text: str) -> None:
    assert resolve_unit(text) is None


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_and_undecided_words_are_refused(text: str) -> None:
    with pytest.raises(UnitError):
        resolve_unit(text)


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (650, "um", "m", 0.00065),
        (0.645, "um", "m", 6.45e-07),
        (19.26, "keV", "eV", 19260.0),
        (20, "C", "K", 293.15),
        (1.54, "A", "m", 1.54e-10),
        (2, "A", "A", 2.0),
        (1, "1/A", "1/m", 1e10),
        (1.602176634e-16, "J", "eV", 1000.0),
        (101.199, "mA", "A", 0.101199),
    ],
)
def test_conversion(value: float, unit: str, to: str, expected: float) -> None:
    assert convert(value, unit, to) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("unit", ["eV", "px", "rad", "counts", "none"])
def test_other_dimensions_are_no_lengths(unit: str) -> None:
    with pytest.raises(UnitError):
        convert(1, unit, "m")
    assert not fits(unit, "NX_LENGTH")


def test_annotation_converts_refuses_and_tells_the_schema() -> None:
    length = TypeAdapter(Metre)
    assert length.validate_python("650 um") == 0.00065
    assert length.validate_python("0.5") == length.validate_python(0.5) == 0.5
    with pytest.raises(ValidationError, match="parsec' is not a unit lightwell knows"):
        length.validate_python("3 parsec")
    assert TypeAdapter(ElectronVolt).json_schema()["unit"] == "eV"
    assert TypeAdapter(Ampere).validate_python("200 mA") == 0.2


def test_every_category_has_a_unit_pint_knows() -> None:
    for category, unit in units.CATEGORIES.items():
        assert unit is None or fits(unit, category), category


def test_factors_agree_with_pint() -> None:
    for name, to in [("um", "m"), ("keV", "eV"), ("mrad", "degree"), ("hour", "s"), ("uA", "A")]:
        assert getattr(units, name) == pytest.approx(convert(1, name, to))


def test_energy_and_wavelength_are_inverse() -> None:
    assert units.wavelength_from_energy(12398.419843320026) == pytest.approx(1e-10, rel=1e-12)
    assert units.energy_from_wavelength(units.wavelength_from_energy(8048.0)) == 8048.0


def test_unit_is_a_value() -> None:
    assert Unit("m") == Unit("m")
    assert hash(Unit("m")) == hash(Unit("m"))


def test_units_and_model_load_nothing_heavy() -> None:
    heavy = "numpy h5py pint jax"
    code = f"import sys, lightwell.model; print([m for m in {heavy.split()} if m in sys.modules])"
    assert run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
