"""An entry against its application definition."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lightwell.nexus.validation.fields import asked_of, check_attributes, check_field
from lightwell.nexus.validation.findings import Finding, Scope
from lightwell.nexus.validation.links import check_link
from lightwell.nexus.validation.matching import Match, alternative, chosen, is_a, matches
from lightwell.nexus.validation.profiles import Profile
from lightwell.nexus.validation.rules import ChoiceRule, FieldRule, GroupRule, fits_name
from lightwell.nexus.validation.ruleset import RuleSet
from lightwell.nexus.validation.sizes import Measured, check_rank, check_sizes, measured
from lightwell.nexus.validation.tree import Array, Group, printable

__all__ = ["Outcome", "check_application"]


@dataclass(slots=True)
class Outcome:
    """What came of a group: findings, lengths to compare, and which names were judged.

    A name is judged in a group, whatever path led there: the group stands for itself by its `id`.
    """

    findings: list[Finding] = field(default_factory=list)
    lengths: list[Measured] = field(default_factory=list)
    judged: set[tuple[int, str]] = field(default_factory=set)

    def add(self, other: "Outcome") -> None:
        """Take over what came of a group inside."""
        self.findings += other.findings
        self.lengths += other.lengths
        self.judged |= other.judged


def check_application(
    entry: Group, path: str, rule: GroupRule, scope: Scope, known: RuleSet, profile: Profile
) -> Outcome:
    """Return what came of holding an entry against its definition."""
    judge = _Judge(entry, path, known, profile)
    outcome = judge.group(entry, path, rule, scope)
    outcome.findings += check_sizes(outcome.lengths, profile)
    return outcome


class _Judge:
    def __init__(self, entry: Group, path: str, known: RuleSet, profile: Profile) -> None:
        self.entry = entry
        self.path = path
        self.known = known
        self.profile = profile

    def group(self, group: Group, path: str, rule: GroupRule, scope: Scope) -> Outcome:
        """Return what came of a group and of all that its rule says is in it."""
        outcome = Outcome()
        outcome.findings += check_attributes(group.attributes, path, rule.attributes, scope)
        for field_rule in rule.fields:
            self._field(group, path, rule, field_rule, scope.at(field_rule.name), outcome)
        for link in rule.links:
            inner = scope.at(link.name)
            outcome.judged.add((id(group), link.name))
            outcome.findings += check_link(group, path, link, self.entry, self.known, inner)
        for match in matches(rule.groups, group, self.known):
            self._groups(group, path, match, scope, outcome)
        for choice in rule.choices:
            self._choice(group, path, choice, scope, outcome)
        return outcome

    def _field(
        self,
        group: Group,
        path: str,
        group_rule: GroupRule,
        rule: FieldRule,
        scope: Scope,
        outcome: Outcome,
    ) -> None:
        names = _names(rule, group_rule, group)
        if not names and rule.least:
            outcome.findings.append(_missing_field(path, rule, scope))
        base = self.known.base(group_rule.nx_class)
        inherited = base.field(rule.name)
        asked = asked_of(rule, inherited, is_known=base.complete)
        for name in names:
            place = _join(path, name)
            node = group.node(name)
            if isinstance(node, Group):
                outcome.findings.append(_group_for_field(place, scope))
            elif isinstance(node, Array):
                outcome.judged.add((id(group), name))
                outcome.findings += check_field(node, place, asked, scope)
                outcome.findings += check_rank(node, place, rule, scope)
                lengths = measured(node, place, rule, scope)
                outcome.lengths += [lengths] if lengths else []

    def _groups(
        self, group: Group, path: str, match: Match, scope: Scope, outcome: Outcome
    ) -> None:
        rule, fitting = match.rule, match.groups
        inner = scope.at(rule.label)
        outcomes: dict[str, Outcome] = {}

        def errors(name: str, candidate: Group) -> int:
            outcomes[name] = self.group(candidate, _join(path, name), rule, inner)
            found = (self.profile.judged(f) for f in outcomes[name].findings)
            return sum(1 for f in found if f.severity == "error")

        if not fitting:
            outcome.findings += _missing_group(group, path, rule, inner)
            return
        if match.certain and rule.most is not None and len(fitting) > rule.most:
            outcome.findings.append(_surplus(path, rule, fitting, inner))
        outcome.judged |= {(id(group), name) for name in fitting}
        for name, candidate in chosen(match, errors).items():
            place = _join(path, name)
            if not is_a(candidate, rule.nx_class, self.known):
                outcome.findings.append(_wrong_class(place, candidate, rule, inner))
                if candidate.nx_class is not None and self.known.is_base(candidate.nx_class):
                    continue
            outcome.add(outcomes.get(name) or self.group(candidate, place, rule, inner))

    def _choice(
        self, group: Group, path: str, choice: ChoiceRule, scope: Scope, outcome: Outcome
    ) -> None:
        node = group.node(choice.name)
        inner = scope.at(choice.name)
        classes = " or ".join(rule.nx_class for rule in choice.groups)
        if not isinstance(node, Group):
            if choice.least and choice.name not in group.children:
                message = (
                    f"The group {choice.name} is not there, and {scope.definition} asks for it."
                )
                mend = f"Write it as {classes}."
                outcome.findings.append(inner.finding("group-missing", path, message, mend))
            return
        place = _join(path, choice.name)
        rule = alternative(choice, node, self.known)
        if rule is None:
            message = f"The group is of class {node.nx_class}, and {classes} is asked for."
            outcome.findings.append(
                inner.finding("class-wrong", place, message, f"Write it as {classes}.")
            )
        else:
            outcome.add(self.group(node, place, rule, inner))


def _names(rule: FieldRule, group_rule: GroupRule, group: Group) -> list[str]:
    """Return the names in a group that a rule is about."""
    if rule.name in group.children or rule.name_type == "specified":
        return [rule.name] if rule.name in group.children else []
    if rule.name_type == "partial":
        return [name for name in group.children if fits_name(rule, name)]
    if not rule.least:
        return []
    taken = {other.name for other in group_rule.fields if other is not rule}
    free = [name for name, _ in group.arrays() if name not in taken]
    # Any one will do; which of them is meant nobody can tell, so the first is judged.
    return free[:1]


def _join(path: str, name: str) -> str:
    return f"{path.rstrip('/')}/{printable(name)}"


def _missing_field(path: str, rule: FieldRule, scope: Scope) -> Finding:
    of_type = f" of type {rule.type}" if rule.type else ""
    in_unit = f" in units of {rule.units}" if rule.units else ""
    return scope.finding(
        "field-missing",
        path,
        f"The field {rule.name} is not there, and {scope.definition} requires it.",
        f"Write the field {rule.name}{of_type}{in_unit}.",
    )


def _group_for_field(path: str, scope: Scope) -> Finding:
    message = "A group stands where a field is asked for."
    return scope.finding("kind", path, message, "Write the value as a field.")


def _missing_group(group: Group, path: str, rule: GroupRule, scope: Scope) -> Iterator[Finding]:
    if not rule.least or (rule.name in group.children and group.node(rule.name or "") is None):
        return
    called = f" called {rule.name}" if rule.name and rule.name_type == "specified" else ""
    others = [name for name, inner in group.groups() if inner.nx_class == rule.nx_class]
    if called and isinstance(group.node(rule.name or ""), Array):
        message = (
            f"There is a field {rule.name}, and a group of class {rule.nx_class} is asked for."
        )
        yield scope.finding("kind", _join(path, rule.name or ""), message, "Write a group.")
        return
    hint = f" The group {others[0]!r} has the class, but not the name." if called and others else ""
    yield scope.finding(
        "group-missing",
        path,
        f"A group of class {rule.nx_class}{called} is not there, "
        f"and {scope.definition} requires it.{hint}",
        f"Write a group{called or ' of any name'} with NX_class={rule.nx_class}.",
    )


def _surplus(path: str, rule: GroupRule, fitting: Mapping[str, Group], scope: Scope) -> Finding:
    listed = ", ".join(fitting)
    message = f"There are {len(fitting)} groups of this kind ({listed}), {rule.most} may be."
    return scope.finding("group-surplus", path, message, "Leave one, or move the others.")


def _wrong_class(path: str, group: Group, rule: GroupRule, scope: Scope) -> Finding:
    said = group.nx_class or "none"
    return scope.finding(
        "class-wrong",
        path,
        f"The NX_class is {said}, and {rule.nx_class} is asked for.",
        f"Write NX_class={rule.nx_class}.",
        found=group.nx_class,
    )
