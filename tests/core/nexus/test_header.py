from datetime import UTC, datetime

import pytest

from lightwell.nexus import Header
from lightwell.nexus.header import Value

VALUES: dict[str, tuple[Value, str | None]] = {
    "/mono/energy": (19.26, "keV"),
    "/mono/text": ("0.59 A", None),
    "/detector/pixel": (6.7e-6, None),
    "/detector/wrong": (5.0, "eV"),
    "/detector/odd": (5.0, "parsec"),
    "/detector/angles": ((0.0, 3.141592653589793), "rad"),
    "/sample/name": ("Hornby", None),
    "/sample/empty": ("", None),
    "/sample/temperature": (120.0, "Celsius"),
    "/sample/nan": (float("nan"), "K"),
    "/sample/top_up": ("Yes", None),
    "/sample/count": (3, None),
    "/sample/half": (2.5, None),
    "/times/iso": ("2012-07-31T21:15:23+0600", None),
    "/times/naive": ("2022-10-15 13:49:39.357", None),
    "/times/ctime": ("Tue Oct 18 14:16:18 2022", None),
    "/times/epoch": (1.6e9, None),
    "/times/words": ("yesterday", None),
}


@pytest.fixture
def header() -> Header:
    return Header(VALUES, aliases={"/energy": "/mono/energy", "/d": "/detector"})


def test_numbers_come_in_model_units_and_originals_stay(header: Header) -> None:
    field = "instrument.monochromator.energy"
    assert header.number("/mono/energy", to="eV", field=field) == 19260.0
    original = header.original()["/mono/energy"]
    assert (original.value, original.unit, original.field) == (19.26, "keV", field)
    assert header.number("/mono/text", to="m") == 5.9e-11
    assert header.number("/sample/temperature", to="K") == 393.15
    assert header.numbers("/detector/angles", to="degree") == (0.0, 180.0)
    assert header.number("/sample/count") == 3.0
    assert not header.flags


def test_a_missing_unit_is_said_or_given(header: Header) -> None:
    assert header.number("/detector/pixel", to="m", unit_default="m") == 6.7e-6
    assert not header.flags
    assert header.number("/detector/pixel", to="m") is None
    assert [flag.code for flag in header.flags] == ["unit-missing"]


@pytest.mark.parametrize("key", ["/detector/wrong", "/detector/odd"])
def test_an_impossible_unit_gives_no_number(header: Header, key: str) -> None:
    assert header.number(key, to="m", field="x") is None
    assert [(flag.code, flag.path) for flag in header.flags] == [("unit-wrong", key)]
    assert header.original()[key].field is None


def test_what_is_no_number(header: Header) -> None:
    assert header.number("/sample/name") is None
    assert header.number("/sample/nan", to="K") is None
    assert header.numbers("/sample/nan", to="K") is None
    assert header.original()["/sample/nan"].value == "nan"
    assert {flag.code for flag in header.flags} == {"not-a-number"}


def test_missing_is_missing(header: Header) -> None:
    assert header.number("/no", to="m") is None
    assert header.text("/no") is None
    assert header.text("/sample/empty") is None
    assert header.time("/no") is None
    assert header.integer("/no") is None
    assert header.boolean("/no") is None
    assert header.number("/sample/empty", to="m") is None
    assert not header.flags


def test_the_first_key_there_is_answers_by_any_name(header: Header) -> None:
    assert header.text("/no", "/sample/name", "/mono/text") == "Hornby"
    assert header.number("/energy", to="eV") == 19260.0
    assert header.number("/d/pixel", to="m", unit_default="m") == 6.7e-6
    assert "/energy" in header
    assert "/energy" not in header.original()


def test_integers_and_truth_values(header: Header) -> None:
    assert header.integer("/sample/count") == 3
    assert header.integer("/sample/half") is None
    assert header.boolean("/sample/top_up") is True
    assert header.boolean("/sample/name") is None
    assert {flag.code for flag in header.flags} == {"not-an-integer", "not-a-truth-value"}


def test_times(header: Header) -> None:
    iso = header.time("/times/iso")
    assert iso is not None
    assert iso.astimezone(UTC) == datetime(2012, 7, 31, 15, 15, 23, tzinfo=UTC)
    assert header.time("/times/epoch") == datetime.fromtimestamp(1.6e9, UTC)
    assert not header.flags
    naive = header.time("/times/naive", field="start_time")
    assert naive is not None
    assert naive.tzinfo is None
    assert header.time("/times/ctime") == datetime(2022, 10, 18, 14, 16, 18)  # noqa: DTZ001
    assert header.time("/times/words") is None
    assert [flag.code for flag in header.flags] == [
        "time-without-zone",
        "time-without-zone",
        "time-unreadable",
    ]


def test_values_from_elsewhere_are_kept_too(header: Header) -> None:
    header.record("given.first_angle", 0.0, "degree", field="sample.rotation_angle")
    assert header.original(["given.first_angle", "no"])["given.first_angle"].value == 0.0
    header.flag("step-contradiction", "stepdeg is 0.", "/x")
    assert header.flags[0].path == "/x"


def test_an_empty_text_is_no_field() -> None:
    header = Header({"experimenter": ("", None), "owner": ("hmwood", None)})
    assert header.text("experimenter", field="users.experimenter.name") is None
    assert header.text("owner", field="users.owner.name") == "hmwood"
    original = header.original()
    assert (original["experimenter"].field, original["owner"].field) == (None, "users.owner.name")
