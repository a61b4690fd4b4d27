"""The matcher says what a query means; every catalog must give the same answers."""

# ruff: noqa: S608, T201 - compiled conditions go into SQL, and the long campaign reports.

import itertools
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightwell.catalog import (
    And,
    Compare,
    Contains,
    Exists,
    In,
    Not,
    Or,
    Query,
    Text,
    from_json,
    matches,
    parse_query,
    to_json,
    where,
)
from lightwell.catalog.compiler import compile_query
from lightwell.catalog.documents import storable
from lightwell.catalog.rows import write_document
from lightwell.catalog.tables import Connections

# Keys with dots, dollars, percent signs and slashes are what instruments write.
KEYS = ("a", "b", "x.y", "$d", "100%", "/exchange/theta", "ä")
TEXTS = (
    *(
        "",
        "a",
        "B",
        "ab",
        "straße",
        "STRASSE",
        "Ärger",
        "1",
        "true",
        "null",
        "x\x00y",
        "\U0001f52c",
    ),
    *(
        "Chilarchaea_quellon_F_9053427",
        "scan0042b",
        "20130713_185717",
        "2013-07-13",
        "%_",
        "a/b.h5",
    ),
    *("\ufb01x", "\uff11\uff12", "e\u0301t\u00e9", "ǅ", "İ", "x٣", "²", "ﷺ", "\ue000q"),
)
NUMBERS = (0, 1, -1, 2, 1.0, 0.5, -0.0, 1e-300, 2**53, 2**53 + 1, float(2**53), 2**63, 19260.0)

scalars = st.one_of(
    st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans(), st.sampled_from((0, 1, "a"))
)
values = st.recursive(
    st.one_of(scalars, st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)


def plain_document(chance: random.Random) -> dict[str, Any]:
    """A document whose usual fields have usual values often enough for queries to divide them."""

    def some(depth: int = 0) -> Any:
        kind = chance.random()
        if kind < 0.6 or depth > 2:
            return chance.choice(
                (0, 1, 2, 0.5, 2**53, "a", "B", "ab", "1", True, False, None, *TEXTS)
            )
        if kind < 0.8:
            return [some(depth + 1) for _ in range(chance.randrange(4))]
        return {key: some(depth + 1) for key in chance.sample(KEYS, chance.randrange(4))}

    def maybe(likely: float, members: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in members.items() if chance.random() < likely}

    originals = {key: {"value": some(1)} for key in KEYS}
    return {
        "kind": chance.choice(("raw", "derived")),
        "canonical": maybe(0.8, {"energy": chance.choice(NUMBERS), "sample": some()}),
        "entry": {**maybe(0.7, {key: some() for key in KEYS}), "original": maybe(0.6, originals)},
        **maybe(
            0.8,
            {
                "owner": chance.choice(("mia", "", "Ärger", "1")),
                "proposal": chance.choice(("als-1", "1", "true")),
                "path": chance.choice(TEXTS),
                "derived_from": chance.sample(("p1", "p2", "p3"), chance.randrange(3)),
                "flags": chance.sample(("missing-source", "a"), chance.randrange(3)),
            },
        ),
    }


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Catalog documents with the few fields that every one has, and anything else."""
    groups = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
    original = st.dictionaries(
        st.sampled_from(KEYS), st.fixed_dictionaries({"value": values}), max_size=2
    )
    optional = {
        "owner": st.sampled_from(("mia", "", "Ärger", "1")),
        "proposal": st.sampled_from(("als-1", "1", "true")),
        "path": st.sampled_from(TEXTS),
        "derived_from": st.lists(st.sampled_from(("p1", "p2")), max_size=2),
        "flags": st.lists(st.sampled_from(("missing-source", "a")), max_size=2),
    }
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from(("raw", "derived")),
            "canonical": st.fixed_dictionaries(
                {},
                optional={"energy": st.one_of(st.sampled_from(NUMBERS), scalars), "sample": values},
            ),
            "entry": st.builds(lambda g, o: {**g, "original": o}, groups, original),
        },
        optional=optional,
    )


FIELDS = (
    *("kind", "owner", "proposal", "path", "pid", "energy", "sample", "derived_from", "flags"),
    *("entry.a", "entry.b", "a.b", "a.a", "a.a.b", "b.x\\.y", "entry.$d", "entry.x\\.y", "entry.ä"),
    *("entry.100%", "original.x.y", "original./exchange/theta", "original.$d", "entry", "nothing"),
)


_USUAL: dict[str, tuple[Any, ...]] = {
    "kind": ("raw", "derived"),
    "owner": ("mia", "Ärger", "1", "k"),
    "proposal": ("als-1", "1", "b"),
    "pid": ("p1", "p5", "p150"),
    "derived_from": ("p1", "p2"),
    "flags": ("missing-source", "a"),
    "energy": (0, 1, 0.5, 2**53, 2**53 + 1, "19.26 keV", "1 eV", "0 meV", True),
}


@st.composite
def _compare(draw: st.DrawFn) -> Query:
    field = draw(st.sampled_from(FIELDS))
    usual = st.sampled_from(_USUAL.get(field, (0, 1, 0.5, 2, "a", "B", "1", True, False)))
    value = draw(usual if field == "energy" else st.one_of(usual, usual, scalars))
    operators = ("=", "!=") if isinstance(value, bool) else ("=", "!=", "<", "<=", ">", ">=")
    return Compare(field, draw(st.sampled_from(operators)), value)


@st.composite
def _in(draw: st.DrawFn) -> Query:
    field = draw(st.sampled_from([each for each in FIELDS if each != "energy"]))
    return In(field, tuple(draw(st.lists(scalars, max_size=4))))


_WORDS = ("chil", "Chilarchaea quellon", "42", "0042", "scan 2013", "str", "a", "20130713_1", "fi")
_PARTS = ("a", "A", "ss", "ß", "1", "%", "_", "\x00", "É", "arch", "i̇", "/")

clauses: st.SearchStrategy[Query] = st.one_of(
    _compare(),
    _compare(),
    _in(),
    st.builds(Exists, st.sampled_from(FIELDS)),
    st.builds(Contains, st.sampled_from(FIELDS), st.sampled_from(_PARTS)),
    st.builds(Text, st.sampled_from((*_WORDS, "ärger", "12", "x٣", "strasse 1", "ﷺ", "\ue000q q"))),
)

queries: st.SearchStrategy[Query] = st.recursive(
    clauses,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=4,
)


QUICK = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def sample_documents(count: int) -> list[dict[str, Any]]:
    """Return many different documents, the same on every run."""
    chance = random.Random(2013)
    return [named(plain_document(chance), number) for number in range(count)]


def named(document: Mapping[str, Any], number: int) -> dict[str, Any]:
    return storable({**document, "pid": f"p{number}", "created": f"2026-01-01T00:00:{number:06d}"})


def answers(connections: Connections, query: Query) -> set[str]:
    condition = compile_query(query)
    sql = f"SELECT d.pid, {condition.sql} FROM dataset AS d"
    # Every condition is 1 or 0: a NULL would turn wrong under a negation further up.
    found = list(connections.connection().execute(sql, condition.parameters))
    assert {value for _, value in found} <= {0, 1}
    return {pid for pid, value in found if value}


def expected(query: Query, stored: Sequence[Mapping[str, Any]]) -> set[str]:
    return {document["pid"] for document in stored if matches(query, document)}


@pytest.fixture(scope="module")
def corpus(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Connections, list[dict[str, Any]]]]:
    connections = Connections(tmp_path_factory.mktemp("corpus") / "catalog.sqlite")
    stored = sample_documents(200)
    with connections.writing() as connection:
        for document in stored:
            write_document(connection, document, "test", None)
    yield connections, stored
    connections.close()


def test_generated_queries(corpus: tuple[Connections, list[dict[str, Any]]]) -> None:
    connections, stored = corpus
    shares: list[float] = []

    @QUICK
    @given(queries)
    def compare(query: Query) -> None:
        wanted = expected(query, stored)
        assert answers(connections, query) == wanted
        assert expected(from_json(to_json(query)), stored) == wanted
        assert to_json(from_json(to_json(query))) == to_json(query)
        shares.append(len(wanted) / len(stored))

    compare()
    telling = sum(0.01 <= share <= 0.9 for share in shares) / len(shares)
    assert telling > 0.3, f"only {telling:.0%} of the queries tell documents apart"


@settings(QUICK, max_examples=80)
@given(st.lists(documents(), min_size=1, max_size=3), st.lists(queries, min_size=1, max_size=5))
def test_generated_documents(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[dict[str, Any]],
    asked: list[Query],
) -> None:
    connections = _empty(tmp_path_factory)
    stored = [named(document, number) for number, document in enumerate(drawn)]
    with connections.reading() as connection:  # rolled back at the end
        for document in stored:
            write_document(connection, document, "test", None)
        for query in asked:
            assert answers(connections, query) == expected(query, stored)


@settings(QUICK, max_examples=40)
@given(documents(), documents(), st.lists(queries, min_size=1, max_size=5))
def test_a_replaced_document_is_found_as_the_new_one(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, Any],
    after: dict[str, Any],
    asked: list[Query],
) -> None:
    connections = _empty(tmp_path_factory)
    with connections.reading() as connection:
        row = write_document(connection, named(before, 1), "test", None)
        write_document(connection, named(after, 1), "test", row)
        for query in asked:
            assert answers(connections, query) == expected(query, [named(after, 1)])


_EMPTY: list[Connections] = []


def _empty(factory: pytest.TempPathFactory) -> Connections:
    if not _EMPTY:
        _EMPTY.append(Connections(factory.mktemp("empty") / "catalog.sqlite"))
    return _EMPTY[0]


SPECIFIC: tuple[tuple[str, Mapping[str, Any], Query, bool], ...] = (
    ("true is not 1", {"entry": {"a": True}}, where("entry.a") == 1, False),
    ("1 is not true", {"entry": {"a": 1}}, where("entry.a") == True, False),  # noqa: E712
    ("numbers before texts", {"entry": {"a": "5"}}, where("entry.a") > 4, False),
    ("whole and floating", {"entry": {"a": 5}}, where("entry.a") == 5.0, True),
    ("any element", {"entry": {"a": [1, 9]}}, where("entry.a") == 9, True),
    ("no element", {"entry": {"a": [1, 9]}}, where("entry.a") != 9, False),
    ("two elements", {"entry": {"a": [1, 9]}},
     (where("entry.a") > 8) & (where("entry.a") < 2), True),
    ("missing differs", {"entry": {}}, where("entry.a") != 9, True),
    ("null is missing", {"entry": {"a": None}}, where("entry.a").exists(), False),
    ("an empty list is there", {"entry": {"a": []}}, where("entry.a").exists(), True),
    ("a group is there", {"entry": {"a": {"b": 1}}}, where("entry.a").exists(), True),
    ("an empty group is there", {"entry": {"a": {}}}, where("entry.a").exists(), True),
    ("a group of nulls is there", {"entry": {"a": {"b": None}}}, where("entry.a").exists(), True),
    ("groups in lists", {"entry": {"a": [{"b": 1}, {"b": 2}]}}, where("a.b") == 2, True),
    ("lists in lists are closed", {"entry": {"a": [[1]]}}, where("entry.a") == 1, False),
    ("a dot in a key", {"entry": {"x.y": 1}}, where("entry.x\\.y") == 1, True),
    ("not a path", {"entry": {"x": {"y": 1}}}, where("entry.x\\.y") == 1, False),
    ("a neighbour's key", {"entry": {"ab": 1}}, where("entry.a").exists(), False),
    ("case", {"path": "/d/STRASSE.h5"}, where("path").contains("straße"), True),
    ("missing column", {}, ~where("owner").contains("x"), True),
    ("number and column", {"owner": "1"}, where("owner") == 1, False),
    ("none of nothing", {"entry": {"a": 1}}, where("entry.a").one_of(), False),
    ("words", {"path": "/d/Chilarchaea_quellon_F_9053427.h5"},
     parse_query("words chilarch 9053"), True),
    ("words in the middle", {"path": "/d/Chilarchaea"}, parse_query("words larch"), False),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "document", "query", "wanted"), SPECIFIC, ids=lambda v: str(v)[:30]
)
def test_chosen_cases(
    tmp_path_factory: pytest.TempPathFactory,
    name: str, document: Mapping[str, Any], query: Query, wanted: bool,
) -> None:  # fmt: skip
    stored = named(document, 1)
    assert matches(query, stored) is wanted, name
    connections = _empty(tmp_path_factory)
    with connections.reading() as connection:
        write_document(connection, stored, "test", None)
        assert answers(connections, query) == ({"p1"} if wanted else set()), name


def test_promised_queries_use_an_index(corpus: tuple[Connections, list[dict[str, Any]]]) -> None:
    connections, _ = corpus
    newest = (
        "SELECT d.pid FROM dataset AS d WHERE {} AND d.retired = 0 "
        "ORDER BY d.created DESC, d.pid DESC LIMIT 20"
    )
    point = "SELECT d.pid FROM dataset AS d WHERE {}"
    for sql, query in (
        (newest, where("energy") >= 0),
        (newest, where("kind") == "raw"),
        (newest, where("owner") == "mia"),
        (point, where("pid") == "p1"),
        (point, where("energy") > "30 keV"),
        (point, where("a.b") == 1),
        (point, parse_query("words chil")),
    ):
        condition = compile_query(query)
        rows = connections.connection().execute(
            f"EXPLAIN QUERY PLAN {sql.format(condition.sql)}", condition.parameters
        )
        plan = [row[3] for row in rows]
        full = [step for step in plan if step.startswith("SCAN d") and "INDEX" not in step]
        assert not full, (query, plan)


if __name__ == "__main__":
    # A longer campaign than the tests': python -m tests.core.catalog.test_same_answers SECONDS
    import sys
    import tempfile
    import time

    warnings.simplefilter("ignore")
    place = Connections(Path(tempfile.mkdtemp()) / "catalog.sqlite")
    kept = sample_documents(300)
    with place.writing() as opened:
        for each in kept:
            write_document(opened, each, "test", None)
    end = time.monotonic() + float(sys.argv[1])
    counts = itertools.count()
    while time.monotonic() < end:
        seed = random.getrandbits(32)

        @settings(QUICK, max_examples=500, derandomize=False)
        @given(queries)
        def long(query: Query) -> None:
            next(counts)
            assert answers(place, query) == expected(query, kept)

        long()
    print(next(counts), "queries over", len(kept), "documents,", len(FIELDS), "fields: the same")
