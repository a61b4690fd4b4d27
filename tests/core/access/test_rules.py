"""Rules say who sees a dataset; fewer of them must say the same, or less where they are joined."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.access import (
    NEVER,
    PUBLIC,
    RULES,
    Grant,
    Policy,
    Rule,
    access_of,
    named,
    readable,
    rules_in,
)
from lightwell.catalog import from_json, matches
from lightwell.errors import ParameterError
from lightwell.users import User

WORDS = ("user:a.b", "user:c", "proposal:p", "staff:8.3.2")
TIMES = ("2026-01-01", "2026-01-02", "2026-01-03", NEVER)

moments = st.sampled_from(TIMES)
rules = st.builds(
    Rule,
    st.frozensets(st.sampled_from(WORDS), max_size=3),
    st.dictionaries(st.sampled_from(WORDS), moments, max_size=2),
    st.frozensets(st.sampled_from(WORDS), max_size=2),
    st.one_of(st.none(), moments),
    st.one_of(st.none(), moments),
)


def fulfilled(rule: Rule, words: set[str], at: str, embargo_from: str | None) -> bool:
    return bool(
        words & rule.readers
        or any(word in words and end > at for word, end in rule.until.items())
        or (rule.public_from and rule.public_from <= at)
        or (rule.since and embargo_from and rule.since <= embargo_from)
    )


def situations() -> list[tuple[set[str], str, str | None]]:
    """Everybody at every time."""
    who = [set(some) for n in (0, 1, 2) for some in itertools.combinations(WORDS, n)]
    return [(w, t, e) for w in who for t in TIMES[:3] for e in (None, *TIMES[:3])]


@settings(deadline=None, max_examples=150)
@given(rules, rules)
def test_what_follows_and_what_is_joined(one: Rule, other: Rule) -> None:
    joined = one.joined(other)
    for words, at, embargo in situations():
        first, second = (fulfilled(each, words, at, embargo) for each in (one, other))
        if one.implies(other):
            assert second or not first
        if fulfilled(joined, words, at, embargo):
            assert first
            assert second
    assert Rule.from_document(one.to_document()) == one


def inputs_of(some: list[Rule]) -> list[dict[str, Any]]:
    return [{"access": {"rule1": each.to_document()}} for each in some]


@settings(deadline=None, max_examples=100)
@given(st.lists(rules, min_size=1, max_size=8))
def test_a_result_is_seen_by_who_fulfils_every_rule(some: list[Rule]) -> None:
    made = access_of({"derived_from": ["x"] * len(some)}, {}, inputs_of(some))
    for words, at, embargo in situations():
        everybody = all(fulfilled(each, words, at, embargo) for each in some)
        assert everybody == all(
            fulfilled(each, words, at, embargo) for each in rules_in({"access": made})
        )


@settings(deadline=None, max_examples=60)
@given(st.lists(rules, min_size=1, max_size=3), st.sampled_from(TIMES[:3]))
def test_the_filter_is_the_rules(some: list[Rule], at: str) -> None:
    document = {"access": access_of({"derived_from": ["x"] * len(some)}, {}, inputs_of(some))}
    users = {
        User("a.b"): {"user:a.b"},
        User("z", proposals=frozenset({"p"}), staff_of=frozenset({"8.3.2"})): {
            "user:z", "proposal:p", "staff:8.3.2",
        },
    }  # fmt: skip
    for user, words in users.items():
        for embargo in (None, TIMES[1]):
            query = from_json(readable(user, at=at, embargo_from=embargo), limited=False)
            expected = all(fulfilled(each, words, at, embargo) for each in rules_in(document))
            assert matches(query, document, limited=False) == expected


def test_more_rules_than_places_leave_who_fulfils_all_of_them() -> None:
    some = [Rule(frozenset({"user:keeper", f"user:{n}"}), since="2026") for n in range(20)]
    part = access_of({"derived_from": ["x"] * 20}, {}, inputs_of(some))
    kept = rules_in({"access": part})
    assert len(kept) == len(RULES)
    assert all("user:keeper" in each.readers for each in kept)
    for n in range(20):
        assert any(f"user:{n}" not in each.readers for each in kept)


def test_what_has_no_rules_or_unknown_inputs_is_seen_by_nobody() -> None:
    query = from_json(readable(User("mia"), at="2026", embargo_from="2026"), limited=False)
    for document in (
        {},
        {"access": {}},
        {"access": access_of({"derived_from": ["gone"], "owner": "mia"}, {}, [None])},
    ):
        assert not matches(query, document, limited=False)


def test_a_public_day_takes_the_place_of_the_embargo() -> None:
    raw = {"owner": "mia", "created": "2026-01-01"}
    for day, embargo, public in (("2027", "2026-06", False), ("2025", None, True)):
        grants = {PUBLIC: Grant("mia", "2026", public_from=day)}
        document = {**raw, "access": access_of(raw, grants, [])}
        query = from_json(readable(User("eve"), at="2026-06", embargo_from=embargo), limited=False)
        assert matches(query, document, limited=False) == public
    withdrawn = {**raw, "access": access_of(raw, {PUBLIC: Grant("m", "2026", None, NEVER)}, [])}
    query = from_json(readable(User("eve"), at="2030", embargo_from="2030"), limited=False)
    assert not matches(query, withdrawn, limited=False)


@pytest.mark.parametrize("text", ["", "user:", "crowd:x", "staff: ", "a\nb", "x" * 300, "a:b:c"])
def test_what_names_nobody(text: str) -> None:
    with pytest.raises(ParameterError, match=r"names nobody|no kind of reader"):
        named(text)


def test_a_user_of_a_thousand_proposals_can_ask() -> None:
    user = User("mia", proposals=frozenset(f"als-{n}" for n in range(1200)))
    filled = Policy().restriction(user)
    assert callable(filled)
    document = {"access": {"rule1": {"readers": ["proposal:als-777"]}}}
    assert matches(from_json(filled(), limited=False), document, limited=False)
