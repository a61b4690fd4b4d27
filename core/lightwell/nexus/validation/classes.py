"""Groups against the base class they say they are; what is found is a warning or a note."""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace

from lightwell.nexus.validation.fields import asked_of, check_attributes, check_field
from lightwell.nexus.validation.findings import Finding, Scope, Severity
from lightwell.nexus.validation.links import check_target
from lightwell.nexus.validation.plots import check_data, check_default
from lightwell.nexus.validation.rules import FieldRule
from lightwell.nexus.validation.ruleset import BaseClass, RuleSet
from lightwell.nexus.validation.tree import Array, Child, Group, printable

__all__ = ["check_classes"]

Judged = AbstractSet[tuple[int, str]]

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.]*[A-Za-z0-9_])?")
_LONGEST_NAME = 63
# In these anything may stand under any name.
_OPEN = {"NXcollection"}
_OUTDATED = ("signal", "axis", "primary")
_UNKNOWN = FieldRule("")


def check_classes(root: Group, known: RuleSet, judged: Judged) -> Iterator[Finding]:
    """Yield what is wrong with the groups of a file, each looked at once.

    What is in `judged` (group, name) was held against an application definition already.
    """
    pending: list[tuple[Group, str, bool]] = [(root, "/", False)]
    seen: set[int] = set()
    while pending:
        group, path, is_open = pending.pop()
        if id(group) in seen:
            continue
        seen.add(id(group))
        place = _Place(group, path, known, root, is_open=is_open)
        yield from place.check(judged)
        inner_open = is_open or group.nx_class in _OPEN
        # By whatever name a group is reached, it is told by the one under which it stands.
        pending.extend(
            (child.node, printable(child.node.path), inner_open)
            for child in group.children.values()
            if isinstance(child.node, Group)
        )


class _Place:
    """One group where it stands: in a collection or not."""

    def __init__(
        self,
        group: Group,
        path: str,
        known: RuleSet,
        root: Group,
        *,
        is_open: bool,
    ) -> None:
        self.group = group
        self.path = path
        self.known = known
        self.root = root
        self.is_open = is_open or group.nx_class in _OPEN
        self.nx_class = group.nx_class or ("NXroot" if path == "/" else "NXobject")
        self.base: BaseClass = known.base(self.nx_class)
        self.is_known = known.is_base(self.nx_class)
        version = known.version_of(self.nx_class)
        self.scope = Scope(self.nx_class, version, "warning", self.nx_class)

    def check(self, judged: Judged) -> Iterator[Finding]:
        """Yield what is wrong with the group and its fields, not with the groups inside."""
        yield from self._check_class()
        rules = tuple({rule.name: rule for rule in self.base.attributes()}.values())
        yield from check_attributes(self.group.attributes, self.path, rules, self.scope)
        yield from check_default(self.group, self.path, self.scope)
        if self.is_known:
            yield from self._check_required(judged)
        if self.nx_class == "NXdata":
            # An NXdata is held to its own rules in every file: without them nothing is shown.
            yield from check_data(self.group, self.path, replace(self.scope, severity="error"))
        yield from check_target(self.group, self.path, self.root, self.scope)
        for child in self.group.children.values():
            yield from self._check_child(child, judged)

    def _check_class(self) -> Iterator[Finding]:
        if self.group.nx_class is None:
            severity: Severity = "note" if self.is_open or self.path == "/" else "warning"
            message = "The group does not say its NX_class."
            mend = "Write the attribute NX_class; NXcollection is for anything."
            yield self.scope.attribute("NX_class").finding(
                "class-absent", self.path, message, mend, severity=severity
            )
        elif not self.known.knows(self.nx_class):
            likely = self.known.likely(self.nx_class)
            yield self.scope.attribute("NX_class").finding(
                "class-misspelt" if likely else "class-unknown",
                self.path,
                f"The NX_class {printable(self.nx_class)!r} is not among the rules.",
                f"Write {likely}." if likely else "Check the name; --nxdl takes a complete set.",
                severity="warning" if likely else "note",
                found=self.nx_class,
            )

    def _check_required(self, judged: Judged) -> Iterator[Finding]:
        """Yield the few fields that a base class requires and the group lacks."""
        for rule in self.base.required():
            if rule.name not in self.group.children and (id(self.group), rule.name) not in judged:
                message = f"The field {rule.name} is not there, and {self.nx_class} requires it."
                yield self.scope.at(rule.name).finding(
                    "field-missing", self.path, message, f"Write the field {rule.name}."
                )

    def _check_child(self, child: Child, judged: Judged) -> Iterator[Finding]:
        path = _join(self.path, child.name)
        yield from self._check_name(child.name, path)
        known = (id(self.group), child.name) in judged
        if isinstance(child.node, Group) and not known:
            yield from self._check_group(child.name, child.node, path)
        elif isinstance(child.node, Array):
            yield from check_target(child.node, path, self.root, self.scope.at(child.name))
            if child.link == "hard" or not self._stands_elsewhere(child.node):
                yield from self._check_outdated(child.node, path)
            if not known:
                yield from self._check_field(child.name, child.node, path)

    def _stands_elsewhere(self, array: Array) -> bool:
        """Return whether the array was, or will be, judged under its own name in this file."""
        return self.root.find(array.path) is array

    def _check_name(self, name: str, path: str) -> Iterator[Finding]:
        if _NAME.fullmatch(name) and len(name) <= _LONGEST_NAME:
            return
        long = len(name) > _LONGEST_NAME
        message = f"The name is {f'{len(name)} characters long' if long else 'badly formed'}."
        mend = "Use letters, digits, _ and . inside, at most 63 of them."
        severity: Severity | None = "note" if self.is_open else None
        yield self.scope.finding("name-form", path, message, mend, severity=severity, found=name)

    def _check_group(self, name: str, group: Group, path: str) -> Iterator[Finding]:
        if group.nx_class is None or self.is_open or not self.is_known:
            return
        rule = self.base.group(name, group.nx_class)
        scope = self.scope.at(group.nx_class)
        if rule is not None:
            if rule.deprecated:
                message = f"{self.nx_class} asks to write {rule.label} no more."
                mend = "Read the definition for what took its place."
                yield scope.finding("deprecated", path, message, mend)
        elif self.known.knows(group.nx_class) and not self.base.is_open_to("groups"):
            message = f"{self._speakers()} expects a group of class {group.nx_class} here."
            mend = "Nothing, if you mean it; a NXcollection may hold anything."
            yield scope.finding("group-unexpected", path, message, mend, severity="note")

    def _speakers(self) -> str:
        """Return who does not know a name, as the beginning of a sentence."""
        if self.base.complete:
            return f"Neither {self.nx_class} nor a class it extends"
        return f"Nothing that is known of {self.nx_class}"

    def _check_outdated(self, array: Array, path: str) -> Iterator[Finding]:
        for name in _OUTDATED:
            if name in array.attributes:
                yield (
                    self.scope.at(path.rpartition("/")[2])
                    .attribute(name)
                    .finding(
                        "deprecated",
                        path,
                        f"The attribute {name} on a field is how plots were described before 2014.",
                        "Leave it out, and write signal and axes on the NXdata group.",
                    )
                )

    def _check_field(self, name: str, array: Array, path: str) -> Iterator[Finding]:
        rule = self.base.field(name) if self.is_known else None
        scope = self.scope.at(name)
        if rule is not None:
            yield from check_field(array, path, asked_of(rule, None), scope)
            return
        asked = asked_of(_UNKNOWN, None, is_known=False)
        yield from check_field(array, path, asked, replace(scope, severity="note"))
        if self.is_known and not self.is_open and not self.base.is_open_to("fields"):
            message = f"{self._speakers()} defines a field {printable(name)!r}."
            mend = "Nothing, if you mean it; look for a misspelt name otherwise."
            yield scope.finding("field-unknown", path, message, mend, severity="note")


def _join(path: str, name: str) -> str:
    return f"{path.rstrip('/')}/{printable(name)}"
