"""Which group of a file is which group of a definition."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lightwell.nexus.validation.rules import ChoiceRule, GroupRule, fits_name
from lightwell.nexus.validation.ruleset import RuleSet
from lightwell.nexus.validation.tree import Group
from lightwell.nexus.validation.values import is_allowed

__all__ = ["Match", "alternative", "chosen", "is_a", "matches"]


@dataclass(frozen=True, slots=True)
class Match:
    """A rule and the groups that may be meant, by name; `certain` if name or attributes say so."""

    rule: GroupRule
    groups: Mapping[str, Group]
    certain: bool


def matches(rules: Iterable[GroupRule], group: Group, known: RuleSet) -> list[Match]:
    """Return for each rule the groups it may mean, each group for one rule only.

    Names decide first, then enumerated attributes (`canSAS_class`), then the class alone: NXcanSAS
    has two kinds of NXdata that differ in nothing else.
    """
    rules = list(rules)
    free = dict(group.groups())
    found: dict[int, dict[str, Group]] = {}
    certain: dict[int, bool] = {}
    order = sorted(range(len(rules)), key=lambda i: (_breadth(rules[i]), i))
    for index in order:
        rule = rules[index]
        if rule.name is not None and rule.name_type == "specified":
            found[index] = {rule.name: free.pop(rule.name)} if rule.name in free else {}
            certain[index] = True
    for index in order:
        if index not in found:
            said = {n: g for n, g in _of_class(rules[index], free, known) if _says(rules[index], g)}
            if said:
                found[index], certain[index] = said, True
                free = {n: g for n, g in free.items() if n not in said}
    for index in order:
        if index not in found:
            rule = rules[index]
            # What may be absent, and would say what it is, is not there if nothing says so.
            shy = not rule.least and _marks(rule)
            fitting = {} if shy else dict(_of_class(rule, free, known))
            found[index], certain[index] = fitting, False
    return [Match(rule, found[i], certain[i]) for i, rule in enumerate(rules)]


def _breadth(rule: GroupRule) -> int:
    """Return how many names a rule fits: one, some, any."""
    if rule.name is not None and rule.name_type == "specified":
        return 0
    return 1 if rule.name_type == "partial" else 2


def _of_class(rule: GroupRule, free: dict[str, Group], known: RuleSet) -> list[tuple[str, Group]]:
    fitting = [(n, g) for n, g in free.items() if is_a(g, rule.nx_class, known)]
    return [(n, g) for n, g in fitting if fits_name(rule, n)]


def is_a(group: Group, nx_class: str, known: RuleSet) -> bool:
    """Return whether a group is of a class, or of one that extends it."""
    own = group.nx_class
    if own is None or own == nx_class:
        return own is not None
    return any(definition.name == nx_class for definition in known.base(own).chain[:-1])


def _marks(rule: GroupRule) -> list[tuple[str, tuple[str, ...]]]:
    """Return the attributes by which a group says that it is the one meant."""
    return [(a.name, a.values) for a in rule.attributes if a.values and not a.open and a.least]


def _says(rule: GroupRule, group: Group) -> bool:
    """Return whether the first of those attributes is there and says so."""
    marks = _marks(rule)
    if not marks:
        return False
    name, values = marks[0]
    value = group.attributes.get(name)
    return value is not None and is_allowed(value, values)


def chosen(match: Match, errors: Callable[[str, Group], int]) -> Mapping[str, Group]:
    """Return the groups to hold a rule against: all that say they are meant, else the best one."""
    groups = match.groups
    if match.certain or len(groups) < 2:
        return groups
    best = min(groups, key=lambda name: errors(name, groups[name]))
    return {best: groups[best]}


def alternative(choice: ChoiceRule, group: Group, known: RuleSet) -> GroupRule | None:
    """Return the rule of a choice that a group follows, or None for none of them."""
    return next((rule for rule in choice.groups if is_a(group, rule.nx_class, known)), None)
