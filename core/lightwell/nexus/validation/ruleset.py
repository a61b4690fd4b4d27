"""Sets of rules: one version of the definitions, with what a class inherits."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from lightwell.errors import InputError, UnknownName
from lightwell.nexus.validation.nxdl import derive, version_of
from lightwell.nexus.validation.rules import (
    AttributeRule,
    Definition,
    FieldRule,
    GroupRule,
    fits_name,
)

__all__ = ["BaseClass", "RuleSet", "load_rules", "rules_from_nxdl"]

#: Raised when the compact form changes.
FORM = 1


@dataclass(frozen=True, slots=True)
class BaseClass:
    """What a class may hold: its own rules before those it inherits.

    `complete` is false where a class it extends is not among the rules.
    """

    name: str
    chain: tuple[Definition, ...]
    complete: bool

    def field(self, name: str) -> FieldRule | None:
        """Return the rule of a field: by its name if one says it, else by a pattern."""
        return _best((rule for d in self.chain for rule in d.fields), name)

    def attribute(self, name: str) -> AttributeRule | None:
        """Return the rule of an attribute of the group."""
        return _best((rule for d in self.chain for rule in d.attributes), name)

    def group(self, name: str, nx_class: str) -> GroupRule | None:
        """Return the rule of a group of a class."""
        rules = [rule for d in self.chain for rule in d.groups if rule.nx_class == nx_class]
        rules += [
            rule
            for d in self.chain
            for choice in d.choices
            for rule in choice.groups
            if choice.name == name and rule.nx_class == nx_class
        ]
        return _best(rules, name)

    def attributes(self) -> Iterator[AttributeRule]:
        """Yield the rules of all attributes of the group."""
        return (rule for d in self.chain for rule in d.attributes)

    def required(self) -> Iterator[FieldRule]:
        """Yield the rules of fields that must be there; in base classes those are few."""
        rules = (rule for d in self.chain for rule in d.fields)
        return (rule for rule in rules if rule.least and rule.name_type == "specified")

    def is_open_to(self, kind: str) -> bool:
        """Return whether names that nothing defines are no matter here."""
        return any(kind in d.open_to for d in self.chain)


R = TypeVar("R", AttributeRule, FieldRule, GroupRule)


def _best(rules: Iterable[R], name: str) -> R | None:
    """Return the first rule of that name, else the first whose pattern fits it."""
    fitting = (rule for rule in rules if fits_name(rule, name))
    return min(fitting, key=lambda rule: _distance(rule, name), default=None)


def _distance(rule: AttributeRule | FieldRule | GroupRule, name: str) -> int:
    """Return how loosely a rule fits a name: by the name itself, by a part, by anything."""
    if rule.name == name:
        return 0
    return 1 if rule.name_type == "partial" else 2


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All definitions of one version."""

    version: str
    definitions: Mapping[str, Definition]
    _bases: dict[str, BaseClass] = field(default_factory=dict, repr=False, compare=False)
    _mentioned: set[str] = field(default_factory=set, repr=False, compare=False)
    _versions: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for definition in self.definitions.values():
            self._mentioned.update(definition.mentioned())

    def base(self, nx_class: str) -> BaseClass:
        """Return what a class may hold; an unknown class holds nothing known."""
        known = self._bases.get(nx_class)
        if known is None:
            chain = tuple(self._chain(nx_class))
            complete = bool(chain) and (not chain[-1].extends or chain[-1].name == "NXobject")
            if "NXobject" not in {d.name for d in chain}:
                chain += tuple(self._chain("NXobject"))
            known = self._bases[nx_class] = BaseClass(nx_class, chain, complete)
        return known

    def _chain(self, name: str | None) -> Iterator[Definition]:
        seen: set[str] = set()
        while name and name in self.definitions and name not in seen:
            seen.add(name)
            definition = self.definitions[name]
            yield definition
            name = definition.extends

    def application(self, name: str) -> GroupRule | None:
        """Return what an application definition asks of an entry, or None if there is none."""
        found: GroupRule | None = None
        for definition in self._chain(name):
            if definition.is_application:
                entry = next((g for g in definition.groups if "entry" in g.nx_class.lower()), None)
                if entry is not None:
                    found = entry if found is None else entry.overlaid(found)
        return found

    def knows(self, nx_class: str) -> bool:
        """Return whether a class is defined here, or spoken of by a definition here."""
        return nx_class in self._mentioned

    def is_base(self, nx_class: str) -> bool:
        """Return whether the rules of a class are here."""
        return nx_class in self.definitions and not self.definitions[nx_class].is_application

    def likely(self, name: str, *, applications: bool = False) -> str | None:
        """Return the class or application definition that a misspelt name probably means."""
        names = [d.name for d in self.definitions.values() if d.is_application]
        known = names if applications else sorted(self._mentioned - set(names))
        folded = {n.lower(): n for n in known}
        close = get_close_matches(name.lower(), list(folded), n=1, cutoff=0.9)
        return folded[close[0]] if close else None

    def overlaid(self, other: "RuleSet") -> "RuleSet":
        """Return these rules with another set's in place of those of the same name."""
        found = RuleSet(self.version, {**self.definitions, **other.definitions})
        versions = {name: other.version_of(name) for name in other.definitions}
        found._versions.update({**self._versions, **versions})
        return found

    def version_of(self, name: str) -> str:
        """Return the version of one definition: the set's, unless it came from another set."""
        return self._versions.get(name, self.version)

    def to_compact(self) -> dict[str, Any]:
        """Return the set as JSON has it."""
        return {
            "form": FORM,
            "version": self.version,
            "definitions": [d.to_compact() for d in self.definitions.values()],
        }

    @classmethod
    def from_compact(cls, data: Mapping[str, Any]) -> "RuleSet":
        """Return the set that `to_compact` gave; InputError for anything else."""
        if data.get("form") != FORM:
            raise InputError(f"these rules have form {data.get('form')!r}, {FORM} is read")
        found = [Definition.from_compact(item) for item in data.get("definitions", ())]
        return cls(str(data.get("version", "")), {d.name: d for d in found})


@cache
def load_rules(name: str) -> RuleSet:
    """Return a set that lightwell ships; UnknownName for none of that name."""
    place = files("lightwell").joinpath("nexus", "rules", f"{name}.json")
    if not place.is_file():
        raise UnknownName(f"lightwell ships no rules called {name!r}")
    return RuleSet.from_compact(json.loads(place.read_text("utf-8")))


def rules_from_nxdl(folder: str | os.PathLike[str], version: str | None = None) -> RuleSet:
    """Return the rules of a folder of NXDL files; InputError where they cannot be read."""
    found = derive(folder)
    return RuleSet(version or version_of(folder), {d.name: d for d in found})
