"""The rules of NeXus as data: what a definition says of groups, fields, attributes and links."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, Self

from lightwell.errors import InputError

__all__ = [
    "AttributeRule",
    "ChoiceRule",
    "Definition",
    "FieldRule",
    "GroupRule",
    "LinkRule",
    "fits_name",
]

_UPPER = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
_BY_LISTS = ("attributes", "fields", "groups", "links", "choices")


class _Compact:
    """Reads and writes the compact form: what equals its default is left out."""

    __slots__ = ()

    @classmethod
    def from_compact(cls, data: Mapping[str, Any]) -> Self:
        """Return the rule that `to_compact` gave; InputError for anything else."""
        try:
            return cls(**{key: _read(key, value) for key, value in data.items()})
        except (TypeError, AttributeError, KeyError, ValueError) as error:
            raise InputError(f"these are not rules of ours ({error})") from error

    def to_compact(self) -> dict[str, Any]:
        """Return the rule as JSON has it."""
        found: dict[str, Any] = {}
        declared: Any = self
        for item in fields(declared):
            value = getattr(self, item.name)
            if item.default is MISSING or value != item.default:
                found[item.name] = _written(value)
        return found


def _read(key: str, value: Any) -> Any:
    if key in _BY_LISTS:
        return tuple(_KINDS[key].from_compact(item) for item in value)
    return tuple(value) if isinstance(value, list) else value


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return value.to_compact() if isinstance(value, _Compact) else value


@dataclass(frozen=True, slots=True)
class AttributeRule(_Compact):
    """An attribute: `least` 1 means it must be there, `values` what it may say."""

    name: str
    type: str = "NX_CHAR"
    least: int = 0
    values: tuple[str, ...] = ()
    open: bool = False
    name_type: str = "specified"
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class FieldRule(_Compact):
    """A field; type and units that are not stated are those of the base class.

    `rank` is a number or words, `dimensions` the name of a symbol, a number or an expression for
    each axis; `least` and `most` say how often it occurs (None: any number of times).
    """

    name: str
    type: str | None = None
    units: str | None = None
    least: int = 0
    most: int | None = None
    name_type: str = "specified"
    rank: str | None = None
    dimensions: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    open: bool = False
    deprecated: bool = False
    attributes: tuple[AttributeRule, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkRule(_Compact):
    """A name that must lead to the object at `target`, a path of classes and names."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class GroupRule(_Compact):
    """A group of a class, with a name or with any."""

    nx_class: str
    name: str | None = None
    least: int = 0
    most: int | None = None
    name_type: str = "any"
    deprecated: bool = False
    attributes: tuple[AttributeRule, ...] = ()
    fields: tuple[FieldRule, ...] = ()
    groups: tuple["GroupRule", ...] = ()
    links: tuple[LinkRule, ...] = ()
    choices: tuple["ChoiceRule", ...] = ()

    @property
    def label(self) -> str:
        """The group in an NXDL path: its name, or its class."""
        return self.name or self.nx_class

    def overlaid(self, child: "GroupRule") -> "GroupRule":
        """Return this rule with what an extending definition says instead or as well."""
        return GroupRule(
            **{
                **{item.name: getattr(child, item.name) for item in fields(GroupRule)},
                "attributes": _joined(self.attributes, child.attributes),
                "fields": _joined(self.fields, child.fields),
                "links": _joined(self.links, child.links),
                "choices": _joined(self.choices, child.choices),
                "groups": _joined_groups(self.groups, child.groups),
            }
        )


@dataclass(frozen=True, slots=True)
class ChoiceRule(_Compact):
    """A name under which one of several groups may stand."""

    name: str
    groups: tuple[GroupRule, ...]
    least: int = 0


@dataclass(frozen=True, slots=True)
class Definition(_Compact):
    """A base class or an application definition: a group, and where it comes from.

    `open_to` says which extras are no matter: "fields", "groups", "attributes".
    """

    name: str
    category: str
    extends: str | None = None
    symbols: tuple[str, ...] = ()
    open_to: tuple[str, ...] = ()
    deprecated: bool = False
    attributes: tuple[AttributeRule, ...] = ()
    fields: tuple[FieldRule, ...] = ()
    groups: tuple[GroupRule, ...] = ()
    links: tuple[LinkRule, ...] = ()
    choices: tuple[ChoiceRule, ...] = ()

    @property
    def is_application(self) -> bool:
        """Whether an entry may claim to follow it."""
        return self.category == "application"

    def mentioned(self) -> Iterator[str]:
        """Yield the classes that the definition speaks of."""
        yield self.name
        if self.extends:
            yield self.extends
        for group in (*self.groups, *(g for choice in self.choices for g in choice.groups)):
            yield from _mentioned(group)


def _mentioned(group: GroupRule) -> Iterator[str]:
    yield group.nx_class
    for inner in (*group.groups, *(g for choice in group.choices for g in choice.groups)):
        yield from _mentioned(inner)


def _joined(parent: tuple[Any, ...], child: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the rules of both, a child's in place of the parent's of its name."""
    return tuple({rule.name: rule for rule in (*parent, *child)}.values())


def _joined_groups(
    parent: tuple[GroupRule, ...], child: tuple[GroupRule, ...]
) -> tuple[GroupRule, ...]:
    found = {(rule.name, rule.nx_class): rule for rule in parent}
    for rule in child:
        known = found.get((rule.name, rule.nx_class))
        found[rule.name, rule.nx_class] = known.overlaid(rule) if known else rule
    return tuple(found.values())


def fits_name(rule: AttributeRule | FieldRule | GroupRule, name: str) -> bool:
    """Return whether an object may bear the name a rule gives.

    >>> fits_name(FieldRule("FIELDNAME_errors", name_type="partial"), "counts_errors")
    True
    """
    if rule.name is None or rule.name_type == "any":
        return True
    if rule.name_type == "partial":
        return _pattern(rule.name).fullmatch(name) is not None
    return rule.name == name


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """Return what a name with parts in upper case stands for: those parts are free."""
    fixed = _UPPER.split(name)
    return re.compile(r"[^/]*".join(re.escape(part) for part in fixed))


_KINDS: dict[str, type[Any]] = {
    "attributes": AttributeRule,
    "fields": FieldRule,
    "groups": GroupRule,
    "links": LinkRule,
    "choices": ChoiceRule,
}
