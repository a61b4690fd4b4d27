"""Questions about frames as people type them: `ring_current < 390 mA and sample_x in [1, 2]`."""

from typing import Final

from lightwell.catalog.query import And, Compare, Exists, In, Not, Or, Query, Scalar
from lightwell.catalog.text_form import QuestionReader, read_question

__all__ = ["parse_frames_query", "question_text"]

_EXAMPLE: Final = "Write {0} in [1, 2] for a range, {0} in {{0, 2}} for single values"


def parse_frames_query(text: str) -> Query:
    """Return the query that a typed question about frames stands for.

    As in the catalog's language, but for brackets: `in [1, 2]` is the range from 1 to 2, both
    included, since a measured position is hardly ever equal to a number; `in {0, 2}` is one of
    several values. A unit stays with its number until it meets a channel.

    >>> parse_frames_query("ring_current < 390 mA and sample_x in [1, 2]")
    And(clauses=(Compare(field='ring_current', operator='<', value='390 mA'), \
And(clauses=(Compare(field='sample_x', operator='>=', value=1), \
Compare(field='sample_x', operator='<=', value=2)))))

    Raises `ParameterError` saying where the question stops making sense and what to write.
    """
    return read_question(_FramesReader(text))


class _FramesReader(QuestionReader):
    """Reads a question about frames."""

    example = "Write e.g. ring_current < 390 mA and sample_x in [1, 2]"

    def measured(self, field: str) -> bool:
        return True

    def quantity(self, number: str, unit: str, field: str) -> Scalar:
        return f"{number} {unit}"

    def members(self, field: str) -> Query:
        if self.peek("{"):
            return super().members(field)
        if not self.accept("["):
            self.refuse("expected `[` or `{`", _EXAMPLE.format(field))
        low = self.value(field)
        if not self.accept(","):
            self.refuse("a range has two ends", _EXAMPLE.format(field))
        high = self.value(field)
        if not self.accept("]"):
            self.refuse("a range has two ends", _EXAMPLE.format(field))
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            self.refuse(
                f"the range of {field} ends before it begins",
                f"Write {field} in [{high}, {low}]",
            )
        return And((Compare(field, ">=", low), Compare(field, "<=", high)))


def question_text(query: Query) -> str:
    """Return a query about frames as text that reads back as the same question.

    >>> question_text(parse_frames_query("not (a < 1 or b exists) and c in {1, 2}"))
    'not (a < 1 or b exists) and c in {1, 2}'
    """
    match query:
        case And(clauses) | Or(clauses):
            if not clauses:
                return "every frame" if isinstance(query, And) else "no frame"
            word = " and " if isinstance(query, And) else " or "
            return word.join(_in_brackets(clause) for clause in clauses)
        case Not(clause):
            return f"not {_in_brackets(clause)}"
        case Compare(field, operator, value):
            return f"{field} {operator} {_value_text(value)}"
        case In(field, values):
            return f"{field} in {{{', '.join(map(_value_text, values))}}}"
        case Exists(field):
            return f"{field} exists"
        case _:
            return repr(query)


def _in_brackets(query: Query) -> str:
    text = question_text(query)
    return f"({text})" if isinstance(query, And | Or) else text


def _value_text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
