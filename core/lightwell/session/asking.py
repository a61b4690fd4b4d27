"""What people write to choose: slices, and the values of a sweep."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from lightwell.engines import MIDDLE, Slices, Sweep
from lightwell.errors import ParameterError

if TYPE_CHECKING:
    from lightwell.recipes import Recipe, Slot

__all__ = ["parse_choice", "parse_slices", "parse_sweep", "sweep_of"]

MOST_VALUES = 1000


def parse_choice(text: str) -> Slices | None:
    """What `parse_slices` gives, or the ``middle``, or None for ``all``.

    >>> parse_choice("middle"), parse_choice("all"), parse_choice("512")
    ('middle', None, (512, 513, 1))
    """
    if text.strip() == "all":
        return None
    return MIDDLE if text.strip() == MIDDLE else parse_slices(text)


def parse_slices(text: str) -> tuple[int | None, int | None, int | None]:
    """Start, stop and step from ``a:b:c``; a single number is one point.

    Errors: ParameterError for anything else.

    >>> parse_slices("0:100:10"), parse_slices("7"), parse_slices(":50")
    ((0, 100, 10), (7, 8, 1), (None, 50, None))
    """
    words = text.split(":")
    try:
        numbers = [int(w) if w.strip() else None for w in words]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] is not None:
        only = numbers[0]
        # The stop after -1 is the end.
        return (only, only + 1 or None, 1)
    start, stop, step = (*numbers, *(None,) * 3)[:3]
    if len(numbers) not in (2, 3) or (step is not None and step < 1):
        raise ParameterError(
            f"--slices {text!r} is not start:stop:step",
            remedy="write 512, 0:100 or 0:1596:100",
        )
    return (start, stop, step)


def parse_sweep(text: str) -> dict[str, list[str]]:
    """The name and the values of a sweep: ``name=first:last:step`` or ``name=one,other``.

    The last value belongs to it where the steps reach it.
    Errors: ParameterError for anything else.

    >>> parse_sweep("rotation_axis=1270:1271:0.5"), parse_sweep("filter=ramlak,hann")
    ({'rotation_axis': ['1270', '1270.5', '1271']}, {'filter': ['ramlak', 'hann']})
    """
    name, equals, listed = text.partition("=")
    if not equals or not name.strip() or not listed.strip():
        raise ParameterError(
            f"--sweep {text!r} is not name=values",
            remedy="write rotation_axis=1270:1290:2 (the last one included) or filter=ramlak,hann",
        )
    values = [word.strip() for word in listed.split(",")]
    if len(values) == 1 and values[0].count(":") == 2:
        values = _range(text, values[0])
    return {name.strip(): values}


def _range(text: str, words: str) -> list[str]:
    # Decimal, so that 0.1:0.3:0.1 has three values and not, by rounding, two.
    try:
        first, last, step = (Decimal(word) for word in words.split(":"))
        count = int((last - first) / step) + 1
    except (InvalidOperation, ValueError, ArithmeticError):
        raise ParameterError(
            f"--sweep {text!r} is no range", remedy="write first:last:step in numbers, 1270:1290:2"
        ) from None
    if not 1 <= count <= MOST_VALUES:
        raise ParameterError(
            f"--sweep {text!r} has {max(count, 0)} values",
            remedy=f"choose between 1 and {MOST_VALUES}, the step leading from first to last",
        )
    return [format((first + i * step).normalize(), "f") for i in range(count)]


def sweep_of(
    recipe: "Recipe[Any, Any]", asked: Mapping[str, Sequence[Any]], *, text: bool
) -> Sweep:
    """The sweep that was asked for, its values as the steps will get them.

    Errors: ParameterError for more than one parameter, a value that does not fit, or one that is
    the same as another once it is converted.
    """
    if len(asked) != 1:
        raise ParameterError(
            f"a sweep goes over one parameter, not over {len(asked)}",
            remedy="sweep one, and run again for each value of the other",
        )
    [(name, values)] = asked.items()
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise ParameterError(
            f"the sweep of {name} is {values!r}, not a list of values",
            remedy=f"write sweep={{{name!r}: [first, second]}}",
        )
    address = recipe.address(name)
    slot: Slot = recipe.slots[address]
    found = tuple(slot.parameter.check(v, text=text, where=recipe.name) for v in values)
    if not found:
        raise ParameterError(f"the sweep of {name} has no values", where=recipe.name)
    for i, value in enumerate(found):
        if value in found[:i]:
            raise ParameterError(
                f"the sweep of {name} has {value!r} twice, as the step gets it",
                where=recipe.name,
                remedy=f"{name} is {slot.parameter.wanted}",
            )
    return Sweep(address, found)
