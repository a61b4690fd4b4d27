import pytest

from lightwell.catalog import (
    EVERY,
    And,
    Compare,
    In,
    Not,
    Or,
    Query,
    from_json,
    parse_query,
    where,
)
from lightwell.catalog.query import check_size
from lightwell.errors import ParameterError, UnitError


def test_the_two_ways_to_write_agree() -> None:
    asked = (where("sample.name").contains("chilarch")) & (where("energy") > "30 keV")
    assert parse_query("sample.name contains chilarch and energy > 30 keV") == asked
    assert parse_query("sample.name contains chilarch AND energy>30keV") == asked


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a = 1 or b = 2 and c = 3", where("a") == 1, ),
        ("pixel_size < 0.65 um", Compare("pixel_size", "<", 6.5e-7)),
        ("detector.distance > 12 cm", Compare("detector.distance", ">", 0.12)),
        ("start_time >= 2013-07-13", Compare("start_time", ">=", "2013-07-13")),
        ("start_time < 2013-07-13T18:00:00-07:00",
         Compare("start_time", "<", "2013-07-14T01:00:00.000000Z")),
        ("path = /data/a-b_c.h5", Compare("path", "=", "/data/a-b_c.h5")),
        ("title = 'two words'", Compare("title", "=", "two words")),
        ('title = "9053427"', Compare("title", "=", "9053427")),
        ("energy in [19.26 keV, 20000]", In("energy", (19260.0, 20000))),
        ("entry.ok = true", Compare("entry.ok", "=", True)),
        ("kind ≠ raw", Compare("kind", "!=", "raw")),
        ("not (kind = raw)", Not(Compare("kind", "=", "raw"))),
    ],
)  # fmt: skip
def test_typed_questions(text: str, wanted: Query) -> None:
    found = parse_query(text)
    if isinstance(found, Or):
        assert found.clauses[0] == wanted
        assert isinstance(found.clauses[1], And)
    else:
        assert found == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "at its end: expected the name of a field"),
        ("energy", "expected a comparison after energy"),
        ("energy ~ 3", "expected a comparison after energy"),
        ("energy > 30 keV sample", "expected `and` or `or`"),
        ("energy > 30 mm", "energy is kept in eV"),
        ("energy > many", "energy is kept in eV"),
        ("entry.x > 3 furlongs", "no unit lightwell knows"),
        ("title contain x", "Did you mean 'contains'"),
        ("(kind = raw", r"expected `\)`"),
        ("kind in raw", r"Write kind in \[value, value\]"),
        ("title = 'open", "Close quotes"),
        ("a ! 3", "write != for not equal"),
        ("a > true", "true and false have no order"),
        ("not " * 50 + "kind = raw", "nested too deep"),
        ("words ---", "no word in"),
    ],
)
def test_what_is_not_understood_is_explained(text: str, sentence: str) -> None:
    with pytest.raises((ParameterError, UnitError), match=sentence):
        parse_query(text)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"$where": "1"}, r"\$where is not part of the query language"),
        ({"a": {"$gtt": 1}}, r"Did you mean '\$gt'"),
        ({"a": {"$regex": "^a.*", "$options": "i"}}, "plain text"),
        ({"a": {"$regex": "a"}}, "plain text"),
        ({"a": {"$exists": 1}}, "true or false"),
        ({"a": {"$eq": {"b": 1}}}, "cannot be compared with"),
        ({"a": None}, "exists"),
        ({"a": float("inf")}, "finite"),
        ({"$or": []}, "at least one"),
        ({"a": {"$in": list(range(2000))}}, "more than 1000"),
        ([], "is no filter"),
    ],
)
def test_json_is_closed(document: object, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        from_json(document)  # type: ignore[arg-type]


def test_size_is_limited() -> None:
    query = EVERY
    for _ in range(30):
        query = ~query
    with pytest.raises(ParameterError, match="20 levels"):
        check_size(query)
    flat = where("a") == 0
    for number in range(150):
        flat = flat | (where("a") == number)
    check_size(flat)


def test_python_words_are_refused_with_what_to_write() -> None:
    one, two = where("a") == 1, where("b") == 2
    with pytest.raises(ParameterError, match=r"Join queries by & \| ~"):
        one and two  # noqa: B018
    with pytest.raises(ParameterError, match="Join queries"):
        not one  # noqa: B018
    with pytest.raises(ParameterError, match="exists"):
        bool(where("a"))
    with pytest.raises(ParameterError, match="write a range as"):
        1 < where("a") < 2  # noqa: B015
