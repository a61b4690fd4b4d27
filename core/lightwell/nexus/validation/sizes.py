"""Lengths of arrays: ranks, fixed lengths, and symbols that must mean one number everywhere."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lightwell.nexus.validation.findings import Finding, Scope
from lightwell.nexus.validation.profiles import Order, Profile
from lightwell.nexus.validation.rules import FieldRule
from lightwell.nexus.validation.tree import Array

__all__ = ["Measured", "check_rank", "check_sizes", "measured"]


@dataclass(frozen=True, slots=True)
class Measured:
    """The lengths of an array beside the symbols or numbers its definition gives them."""

    path: str
    scope: Scope
    lengths: tuple[int, ...]
    symbols: tuple[str, ...]


def check_rank(array: Array, path: str, rule: FieldRule, scope: Scope) -> Iterator[Finding]:
    """Yield a finding if an array has another number of axes; a single value is a list of one."""
    shape = _shape(array, rule)
    if shape is None or rule.rank is None or not rule.rank.isdecimal():
        return
    if len(shape) != int(rule.rank):
        yield scope.finding(
            "rank",
            path,
            f"The array has the shape {shape}, and {rule.rank} dimensions are asked for.",
            f"Write it with the dimensions {', '.join(rule.dimensions) or rule.rank}.",
            found=shape,
        )


def measured(array: Array, path: str, rule: FieldRule, scope: Scope) -> Measured | None:
    """Return the lengths to compare, or None where the definition gives none or the rank is off."""
    shape = _shape(array, rule)
    if shape is None or not rule.dimensions or len(shape) != len(rule.dimensions):
        return None
    return Measured(path, scope, shape, rule.dimensions)


def _shape(array: Array, rule: FieldRule) -> tuple[int, ...] | None:
    if array.shape == () and len(rule.dimensions) <= 1:
        return (1,)
    return array.shape


def check_sizes(found: list[Measured], profile: Profile) -> Iterator[Finding]:
    """Yield a finding for each array that disagrees with the others, or with a number.

    An array that the profile allows another order of axes is read in the order that agrees.
    """
    settled = []
    for one in found:
        chosen, order = _ordered(one, found, profile)
        settled.append(chosen)
        if order is not None:
            yield replace(
                one.scope.finding(
                    "size",
                    one.path,
                    f"The axes are stored {', '.join(order.dimensions)}; "
                    f"{one.scope.definition} lists {', '.join(one.symbols)}.",
                    "Nothing: this order is what programs read.",
                    severity="note",
                    found=one.lengths,
                ),
                waiver=order.name,
            )
    agreed = _agreed(settled)
    for one in settled:
        yield from _disagreements(one, agreed)


def _ordered(
    one: Measured, found: list[Measured], profile: Profile
) -> tuple[Measured, Order | None]:
    """Return an array in the order of axes that fits the other arrays better."""
    order = profile.order(one.scope.rule)
    if order is None or len(order.dimensions) != len(one.lengths):
        return one, None
    agreed = _agreed([other for other in found if other is not one])
    other = replace(one, symbols=order.dimensions)
    better = len(list(_disagreements(other, agreed))) < len(list(_disagreements(one, agreed)))
    return (other, order) if better else (one, None)


def _agreed(found: list[Measured]) -> dict[str, tuple[int, str]]:
    """Return for each symbol the length most arrays give it, and one of them."""
    lengths: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for one in found:
        for symbol, length in zip(one.symbols, one.lengths, strict=True):
            if symbol.isidentifier():
                lengths[symbol].append((length, one.path))
    agreed = {}
    for symbol, pairs in lengths.items():
        # The first of the most frequent: Counter keeps the order of arrival.
        length = Counter(length for length, _ in pairs).most_common(1)[0][0]
        agreed[symbol] = next(pair for pair in pairs if pair[0] == length)
    return agreed


def _disagreements(one: Measured, agreed: dict[str, tuple[int, str]]) -> Iterator[Finding]:
    for axis, (symbol, length) in enumerate(zip(one.symbols, one.lengths, strict=True)):
        if symbol.isdecimal():
            wanted, why = int(symbol), f"{one.scope.definition} asks for {symbol}"
        elif symbol in agreed:
            wanted, place = agreed[symbol]
            why = f"it is {symbol}, which is {wanted} in {place}"
        else:
            continue
        if length != wanted:
            yield one.scope.finding(
                "size",
                one.path,
                f"Dimension {axis + 1} has length {length}, but {why}.",
                "Write arrays of equal length, or mend the one that is wrong.",
                found=one.lengths,
            )
