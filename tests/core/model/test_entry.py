import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from lightwell.errors import InputError
from lightwell.model import (
    CANONICAL_FIELDS,
    ArrayRef,
    Data,
    Detector,
    Entry,
    Flag,
    Instrument,
    Monochromator,
    Original,
    Parameter,
    Parameters,
    Process,
    Sample,
    Source,
    User,
    entry_from_document,
)


class LaueDetector(Detector):
    orientation: str | None = None


class LaueInstrument(Instrument):
    detector: LaueDetector | None = None


class Laue(Entry, definition="NXlaue_example"):
    instrument: LaueInstrument | None = None
    strain: float | None = None


def laue() -> Laue:
    data = ArrayRef.hdf5("a.h5", "/data", (3, 4), "uint16")
    return Laue(
        title="a scan",
        start_time=datetime(2026, 1, 2, tzinfo=UTC),
        strain=0.1,
        instrument=LaueInstrument(
            name="12.3.2",
            source=Source(name="ALS"),
            monochromator=Monochromator(energy=12_000),
            detector=LaueDetector(distance=0.14, orientation="up", data=data),
        ),
        sample=Sample(name="nickel", rotation_angle=ArrayRef.even(0, 90, 3, "degree")),
        users={"pi": User(name="Ada")},
        original={"/x": Original(value=(1, 2.5, "a"), unit="mm")},
    )


def test_a_document_is_json_and_opens_again() -> None:
    document = json.loads(json.dumps(laue().document()))
    assert document["definition"] == "NXlaue_example"
    assert Laue.model_validate(document) == laue()
    assert entry_from_document(document, {"NXlaue_example": Laue}) == laue()


def test_an_uninstalled_schema_opens_as_entry_and_loses_nothing() -> None:
    document = laue().document()
    entry = entry_from_document(document)
    assert type(entry) is Entry
    assert entry.definition_name == "NXlaue_example"
    assert entry.canonical()["energy"] == 12_000
    assert entry.instrument is not None
    assert entry.instrument.detector is not None
    assert entry.instrument.detector.unknown == {"orientation": "up"}
    assert entry.document() == document
    assert pickle.loads(pickle.dumps(entry)) == entry  # noqa: S301 - our own


def test_values_of_another_version_do_not_lock_a_dataset_away() -> None:
    document = {**laue().document(), "strain": "much", "sample": 7}
    entry = entry_from_document(document, {"NXlaue_example": Laue})
    assert entry.title == "a scan"
    assert entry.document() == document


def test_what_is_no_entry_is_refused() -> None:
    with pytest.raises(InputError):
        entry_from_document([])  # type: ignore[arg-type]


def test_writing_refuses_unknown_names_and_wrong_schemas() -> None:
    with pytest.raises(ValidationError, match="heading"):
        Entry.model_validate({"heading": "x"})
    with pytest.raises(ValidationError, match="the document says NXlaue_example"):
        Entry.model_validate(laue().document())
    with pytest.raises(ValidationError):
        laue().title = "another"  # type: ignore[misc]


def test_subentries_open_as_their_own_class() -> None:
    entry = Entry(subentries={"laue": laue()})
    again = entry_from_document(entry.document(), {"NXlaue_example": Laue})
    assert again == entry
    assert type(again.subentries["laue"]) is Laue


def test_a_narrower_class_in_a_wider_field_keeps_its_fields() -> None:
    entry = Entry(instrument=laue().instrument)
    assert entry.document()["instrument"]["detector"]["orientation"] == "up"


def test_empty_groups_and_lists_survive() -> None:
    entry = Entry(instrument=Instrument(), process={"p": Process(parameters=Parameters())})
    assert entry_from_document(entry.document()) == entry


@pytest.mark.parametrize(
    "members",
    [
        {"users": {"data": User()}, "data": {"data": Data()}},
        {"data": {"title": Data()}},
        {"users": {"sample": User()}, "sample": Sample()},
        {"users": {"s": User()}, "sample": Sample(group_name="s")},
    ],
)
def test_two_members_never_share_a_name(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="have the name"):
        Entry(**members)


@pytest.mark.parametrize("name", ["", ".", "a/b", "a\x00"])
def test_names_hdf5_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Entry(users={name: User()})


def test_canonical_fields() -> None:
    found = laue().canonical()
    assert found["wavelength"] == pytest.approx(1.0332016536e-10)
    assert (found["facility"], found["beamline"], found["user"]) == ("ALS", "12.3.2", "Ada")
    assert set(found) <= set(CANONICAL_FIELDS)
    assert "temperature" not in found


def test_lookup() -> None:
    entry = laue()
    assert entry.lookup("canonical.energy") == 12_000
    assert entry.lookup("instrument.monochromator.energy") == 12_000
    assert isinstance(entry.lookup("sample.rotation_angle"), ArrayRef)
    assert entry.lookup("users.pi.name") == "Ada"
    assert entry.lookup("original./x") == (1, 2.5, "a")
    assert entry.lookup("definition") == "NXlaue_example"
    for nothing in ("sample.temperature", "sample.nonsense", "canonical.x", "title.x", "unknown.x"):
        assert entry.lookup(nothing) is None


def test_flags_are_kept_once() -> None:
    flag = Flag(code="unit-missing", message="No unit.")
    assert Entry().with_flags(flag, flag).with_flags(flag).flags == (flag,)
    with pytest.raises(ValidationError):
        Flag(code="Unit Missing", message="")


def test_missing_is_missing_and_nan_is_refused() -> None:
    assert Entry().document() == {}
    with pytest.raises(ValidationError):
        Sample(temperature=float("nan"))
    with pytest.raises(ValidationError):
        Original(value=tuple(range(17)))


def test_originals_keep_their_type() -> None:
    for value in (True, 1, 1.0, "1", (True, 1, "x"), ()):
        kept = Parameter(value=value).value
        assert kept == value
        assert type(kept) is type(value)
