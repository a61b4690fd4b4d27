"""What people changed, kept as edits, makes the same document again."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightwell.catalog import Event
from lightwell.catalog.edits import differences, edited, newest_revision

KEYS = st.sampled_from(["a", "b.c", "", "rev", "entry", "µ"])
PLAIN = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)
DOCUMENTS = st.dictionaries(KEYS.filter(lambda key: key != "rev"), VALUES, max_size=5)


def event(number: int, what: str, **detail: Any) -> Event:
    return Event(number, "2026-11-23", "mia", what, "lw-x", detail)


# A loaded machine draws slowly, and that is no fault.
@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(DOCUMENTS, DOCUMENTS)
def test_edits_lead_from_one_document_to_the_other(before: Any, after: Any) -> None:
    edits = differences(before, after)
    assert edited(before, [event(1, "updated", changes=edits)]) == after
    assert (edits == []) == (differences(after, before) == [])


def test_events_are_done_again_in_their_order() -> None:
    document = {"retired": False, "entry": {"sample": {"name": "x"}}}
    events = [
        event(1, "ingested", rev=1),
        event(2, "retired", rev=2, why="norm norm"),
        event(3, "superseded", rev=3, successor="lw-y"),
        event(4, "updated", rev=4, changes=[[["retired"], False], [["entry", "title"], "t"]]),
    ]
    assert edited(document, events) == {
        "retired": False,
        "entry": {"sample": {"name": "x"}, "title": "t"},
        "superseded_by": "lw-y",
    }
    assert document == {"retired": False, "entry": {"sample": {"name": "x"}}}
    assert newest_revision(events) == 4
    assert newest_revision([]) == 1


def test_an_edit_inside_a_group_the_files_no_longer_have() -> None:
    edits = [[["entry", "sample", "name"], "x"], [["gone", "too"]]]
    found = edited({}, [event(1, "updated", changes=edits)])
    assert found == {"entry": {"sample": {"name": "x"}}, "gone": {}}
