"""Any entry survives model → document → model and model → NeXus → model."""

import json
import math
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightwell.model import (
    ArrayRef,
    Data,
    Entry,
    Flag,
    Group,
    Original,
    Parameter,
    Parameters,
    entry_from_document,
)
from lightwell.model.base import members
from lightwell.nexus import read_entry, write_entry

TEXT = st.text(max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.none() | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
TIME = st.datetimes(timezones=st.none()).flatmap(
    lambda time: ZONES.map(lambda zone: time.replace(tzinfo=zone))
)
SCALAR = st.booleans() | st.integers(-(2**70), 2**70) | NUMBER | TEXT
VALUE = SCALAR | st.lists(SCALAR, max_size=16).map(tuple)
UNIT = st.none() | st.sampled_from(["mm", "keV", "μm", "a.u.", "", "odd\x00unit"])
# "title" may not be a field's name: it is a field already.
NAME = st.text(min_size=1, max_size=6).map(lambda text: "n" + text.replace("/", "_"))
NAMES = NAME.filter(lambda name: "\x00" not in name)
SHAPE = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
REF = st.one_of(
    st.builds(ArrayRef.even, NUMBER, NUMBER, st.integers(1, 5), st.just("degree")),
    st.builds(ArrayRef.constant, NUMBER, st.integers(1, 5)),
    st.builds(
        ArrayRef.hdf5,
        st.sampled_from(["a.h5", "sub/b.h5", "../c.h5"]),
        st.sampled_from(["/data", "/entry/data", "x"]),
        SHAPE,
        st.sampled_from(["uint16", "<f4"]),
        UNIT,
    ),
    st.builds(
        ArrayRef.frames, st.just("flat"), SHAPE, st.just("uint16"), container=st.just("tiff")
    ),
)
REFS = REF | REF.filter(lambda ref: ref.parts[0].kind == "file").map(
    lambda ref: ArrayRef.concatenate(ref, ref)
)
BY_TYPE: dict[type, st.SearchStrategy[Any]] = {
    str: TEXT,
    float: NUMBER,
    int: st.integers(1, 2**70),
    bool: st.booleans(),
    datetime: TIME,
    ArrayRef: REFS,
}


@st.composite
def groups(draw: st.DrawFn, cls: type[Group], depth: int = 3) -> Any:
    """Draw a group of the model with some of its members."""
    chosen = draw(st.sets(st.sampled_from(members(cls)), max_size=4)) if members(cls) else set()
    values: dict[str, Any] = {}
    names = draw(st.lists(NAMES, unique=True, min_size=4, max_size=4))
    for member in sorted(chosen, key=lambda m: m.name):
        if member.group is None:
            one = st.one_of([BY_TYPE[kind] for kind in sorted(member.types, key=str)])
            values[member.name] = draw(st.lists(one, max_size=3).map(tuple) if member.many else one)
        elif depth and member.kind == "group":
            child = draw(groups(member.group, depth - 1))
            renamed = names.pop() if draw(st.booleans()) else None
            values[member.name] = child.model_copy(update={"group_name": renamed})
        elif depth:
            values[member.name] = {names.pop(): draw(groups(member.group, depth - 1))}
    if cls is Data:
        values |= draw(data())
    if cls is Parameters:
        parameter = st.builds(Parameter, value=VALUE, unit=UNIT)
        values["values"] = draw(st.dictionaries(NAMES, parameter, max_size=3))
    return cls(**values)


def data() -> st.SearchStrategy[dict[str, Any]]:
    fields = st.dictionaries(NAMES, REFS, max_size=3)
    return fields.flatmap(
        lambda known: st.fixed_dictionaries(
            {
                "fields": st.just(known),
                "signal": st.none() | st.sampled_from([*known, "nothing"]),
                "axes": st.lists(st.sampled_from([*known, "."]), max_size=3).map(tuple),
                "long_names": st.dictionaries(st.sampled_from([*known, "other"]), TEXT),
                "indices": st.dictionaries(st.sampled_from([*known, "o"]), st.just((0, 1))),
            }
        )
    )


ORIGINALS = st.builds(Original, value=VALUE, unit=st.none() | TEXT, field=st.none() | TEXT)
FLAGS = st.lists(st.builds(Flag, code=st.just("odd"), message=TEXT), max_size=2).map(tuple)
UNKNOWN = st.dictionaries(
    NAMES.map(lambda name: f"x{name}"),
    st.recursive(
        st.none() | SCALAR, lambda one: st.lists(one) | st.dictionaries(TEXT, one), max_leaves=5
    ),
    max_size=2,
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    entry: Entry = draw(groups(Entry))
    update = {
        "original": draw(st.dictionaries(TEXT, ORIGINALS, max_size=3)),
        "flags": draw(FLAGS),
        "unknown": draw(UNKNOWN),
    }
    return entry.model_copy(update=update)


SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(entries())
def test_through_a_document(entry: Entry) -> None:
    text = json.dumps(entry.document(), allow_nan=False)
    assert entry_from_document(json.loads(text)) == entry


@SLOW
@given(entries())
def test_through_a_file(entry: Entry) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_entry(Path(folder) / "entry.nxs", entry)
        assert read_entry(path) == entry


@pytest.mark.parametrize("zone", [None, UTC, timezone(timedelta(hours=-7))])
def test_times_keep_their_zone(zone: timezone | None) -> None:
    entry = Entry(start_time=datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=zone))
    again = entry_from_document(entry.document())
    assert again.start_time == entry.start_time
    assert again.start_time is not None
    assert entry.start_time is not None
    assert again.start_time.utcoffset() == entry.start_time.utcoffset()


def test_numbers_stay_exact() -> None:
    values = (0.1, 1e-320, math.pi, -0.0, 2**53 + 1, 2**64)
    entry = Entry(original={"x": Original(value=values)})
    document: Mapping[str, Any] = json.loads(json.dumps(entry.document()))
    assert repr(entry_from_document(document).original) == repr(entry.original)
