"""Questions as people type them: `energy > 30 keV and sample.name contains chilarch`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, NoReturn

from lightwell.catalog.fields import unit_of
from lightwell.catalog.quantities import in_model_unit
from lightwell.catalog.query import (
    And,
    Compare,
    Contains,
    Exists,
    In,
    Not,
    Operator,
    Or,
    Query,
    Scalar,
    Text,
    check_size,
)
from lightwell.errors import ParameterError
from lightwell.words import nearest

__all__ = ["QuestionReader", "parse_query", "read_question"]

_LONGEST: Final = 10_000
_DEEPEST: Final = 20
_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator><=|>=|!=|==|<>|[=<>≠≤≥()\[\]{},])
      | (?P<bare>[^\s"'=<>≠≤≥!()\[\]{},]+)
      | (?P<wrong>\S)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NUMBER_WITH_UNIT: Final = re.compile(rf"({_NUMBER.pattern})([A-Za-zµμÅ°%].*)")
_OPERATORS: Final[Mapping[str, Operator]] = {
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<>": "!=",
    "≠": "!=",
    "<": "<",
    "<=": "<=",
    "≤": "<=",
    ">": ">",
    ">=": ">=",
    "≥": ">=",
}
_JOINING: Final = ("and", "or")
_WORDS: Final = ("contains", "exists", "in")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_query(text: str) -> Query:
    """Return the query that a typed question stands for.

    >>> parse_query("energy > 30 keV and not sample.name contains chilarch")
    And(clauses=(Compare(field='energy', operator='>', value=30000.0), \
Not(clause=Contains(field='sample.name', text='chilarch'))))
    >>> parse_query("kind in [raw, derived] or title exists or words chilarch 2013")
    Or(clauses=(In(field='kind', values=('raw', 'derived')), Exists(field='title'), \
Text(words='chilarch 2013')))

    `and` binds closer than `or`; texts with blanks or of digits alone go in quotes. Raises
    `ParameterError` saying where the question stops making sense and what to write.
    """
    return read_question(QuestionReader(text))


def read_question(reader: "QuestionReader") -> Query:
    """Return the whole of what a reader has to read as one query; raises `ParameterError`."""
    query = reader.alternatives(0)
    if reader.next is not None:
        reader.refuse("expected `and` or `or`")
    check_size(query)
    return query


class QuestionReader:
    """Reads the tokens of one question from left to right."""

    example: ClassVar[str] = "Write e.g. energy > 30 keV and sample.name contains chilarch"

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise ParameterError(f"the question is longer than {_LONGEST} characters")
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0

    @property
    def next(self) -> _Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def peek(self, *texts: str) -> bool:
        token = self.next
        return token is not None and token.kind != "quoted" and token.text.lower() in texts

    def accept(self, *texts: str) -> bool:
        if self.peek(*texts):
            self.position += 1
            return True
        return False

    def take(self, expected: str) -> _Token:
        token = self.next
        if token is None or token.kind == "operator":
            self.refuse(f"expected {expected}")
        self.position += 1
        return token

    def refuse(self, expected: str, remedy: str | None = None) -> NoReturn:
        token = self.next
        found = f"at {self.text[token.at :][:40]!r}" if token else "at its end"
        raise ParameterError(
            f"the question is not understood {found}: {expected}",
            where=self.text[:200],
            remedy=remedy or self.example,
        )

    def alternatives(self, depth: int) -> Query:
        clauses = [self.conjunction(depth)]
        while self.accept("or"):
            clauses.append(self.conjunction(depth))
        return clauses[0] if len(clauses) == 1 else Or(tuple(clauses))

    def conjunction(self, depth: int) -> Query:
        clauses = [self.negation(depth)]
        while self.accept("and"):
            clauses.append(self.negation(depth))
        return clauses[0] if len(clauses) == 1 else And(tuple(clauses))

    def negation(self, depth: int) -> Query:
        if depth > _DEEPEST:
            self.refuse("it is nested too deep", "Ask several smaller questions")
        if self.accept("not"):
            return Not(self.negation(depth + 1))
        if self.accept("("):
            inner = self.alternatives(depth + 1)
            if not self.accept(")"):
                self.refuse("expected `)`")
            return inner
        return self.clause()

    def clause(self) -> Query:
        if self.peek("words"):
            self.position += 1
            return self.words()
        if self.peek(*_JOINING, *_WORDS):
            self.refuse("expected the name of a field")
        field = self.take("the name of a field").text
        token = self.next
        if token is None or token.kind == "quoted":
            self.refuse(f"expected a comparison after {field}")
        readers: Mapping[str, Callable[[str], Query]] = {
            "contains": lambda name: Contains(name, self.take("a text to look for").text),
            "exists": Exists,
            "in": self.members,
        }
        word = token.text.lower()
        if word in readers:
            self.position += 1
            return readers[word](field)
        if token.text not in _OPERATORS:
            known = nearest(word, (*_OPERATORS, *_WORDS))
            self.refuse(f"expected a comparison after {field}", known[:1].upper() + known[1:])
        self.position += 1
        return Compare(field, _OPERATORS[token.text], self.value(field))

    def words(self) -> Query:
        """Read the words to search, up to `and`, `or` or `)`."""
        found = [self.take("a word to look for").text]
        while (token := self.next) and token.kind != "operator" and not self.peek(*_JOINING):
            found.append(self.take("a word").text)
        return Text(" ".join(found))

    def members(self, field: str) -> Query:
        end = "}" if self.peek("{") else "]"
        if not self.accept("[", "{"):
            self.refuse("expected `[`", f"Write {field} in [value, value]")
        values = [self.value(field)]
        while self.accept(","):
            values.append(self.value(field))
        if not self.accept(end):
            self.refuse(f"expected `,` or `{end}`", f"Write {field} in [value, value]")
        return In(field, tuple(values))

    def value(self, field: str) -> Scalar:
        """Read a text in quotes, a number with or without unit, true, false or one word."""
        token = self.take(f"a value to compare {field} with")
        if token.kind == "quoted":
            return token.text
        if token.text.lower() in ("true", "false"):
            return token.text.lower() == "true"
        if _NUMBER.fullmatch(token.text):
            after = self.next
            if after is not None and after.kind == "bare" and not self.peek(*_JOINING):
                self.position += 1
                return self.quantity(token.text, after.text, field)
            number = float(token.text)
            return int(token.text) if re.fullmatch(r"[-+]?\d{1,18}", token.text) else number
        if (glued := _NUMBER_WITH_UNIT.fullmatch(token.text)) and self.measured(field):
            return self.quantity(glued[1], glued[2], field)
        return token.text

    def measured(self, field: str) -> bool:
        """Tell whether values of a field have a unit, so that `30keV` is a quantity and no name."""
        return unit_of(field) is not None

    def quantity(self, number: str, unit: str, field: str) -> Scalar:
        """Return a number with a unit as it is compared with a field."""
        # A canonical field converts to its own unit and refuses another kind when compared.
        return f"{number} {unit}" if unit_of(field) else in_model_unit(float(number), unit, field)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    end = len(text.rstrip())
    position = 0
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup == "wrong":
            at = text[position:].lstrip()[:40]
            raise ParameterError(
                f"the question is not understood at {at!r}",
                where=text[:200],
                remedy="Close quotes, and write != for not equal",
            )
        kind = str(found.lastgroup)
        body = found[kind]
        if kind == "quoted":
            body = re.sub(r"\\(.)", r"\1", body[1:-1], flags=re.DOTALL)
        tokens.append(_Token(kind, body, found.start(kind)))
        position = found.end()
    return tokens
