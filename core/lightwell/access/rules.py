"""The rules by which a dataset is seen, kept in its document and inherited by what is made of it.

A dataset of its own has one rule: owner, proposal, staff of its beamline, those it was granted to,
and when it becomes public. A derived one has the rules of all its inputs, each widened by its own
grants: whoever fulfils every rule sees it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lightwell.access.principals import PUBLIC

__all__ = ["NEVER", "RULES", "Grant", "Rule", "access_of", "grants_in", "rules_in"]

RULES: Final = ("rule1", "rule2", "rule3", "rule4", "rule5", "rule6", "rule7", "rule8")
"""Where a document keeps its rules; more different ones are joined to what fulfils all of them."""

NEVER: Final = "9999-12-31T23:59:59.999999Z"
"""The moment from which something is public that never is."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Access given by a person: until a moment, or for `public` from one; None is without end."""

    by: str
    at: str
    until: str | None = None
    public_from: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return this grant as JSON values."""
        own = {"by": self.by, "at": self.at, "until": self.until, "public_from": self.public_from}
        return {key: value for key, value in own.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Rule:
    """Who fulfils it: `readers`, those of `until` before their moment, all from `public_from` on.

    `stewards` may share what it guards. `since` is when data without a date of its own was
    catalogued, from which an installation's embargo counts.
    """

    readers: frozenset[str] = frozenset()
    until: Mapping[str, str] = field(default_factory=dict)
    stewards: frozenset[str] = frozenset()
    public_from: str | None = None
    since: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return this rule as JSON values, without what it does not say."""
        own = {
            "readers": sorted(self.readers),
            "until": dict(sorted(self.until.items())),
            "stewards": sorted(self.stewards),
            "public_from": self.public_from,
            "since": self.since,
        }
        return {key: value for key, value in own.items() if value} or {"readers": []}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Rule":
        """Return the rule that JSON values describe."""
        return cls(
            frozenset(document.get("readers", ())),
            dict(document.get("until", {})),
            frozenset(document.get("stewards", ())),
            document.get("public_from"),
            document.get("since"),
        )

    def implies(self, other: "Rule") -> bool:
        """Tell whether whoever fulfils this rule fulfils the other, now and later."""
        return (
            self.readers <= other.readers
            and self.stewards <= other.stewards
            and all(
                reader in other.readers or other.until.get(reader, "") >= moment
                for reader, moment in self.until.items()
            )
            and _no_earlier(self.public_from, other.public_from)
            and _no_earlier(self.since, other.since)
        )

    def widened(self, grants: Mapping[str, Grant]) -> "Rule":
        """Return this rule fulfilled by those who have a grant, too."""
        lasting = {each for each, grant in grants.items() if grant.until is None} - {PUBLIC}
        ending = {each: grant.until for each, grant in grants.items() if grant.until is not None}
        readers = self.readers | lasting
        until: dict[str, str] = {}
        for reader, moment in (*self.until.items(), *ending.items()):
            if reader not in readers:
                until[reader] = max(moment, until.get(reader, moment))
        public = grants.get(PUBLIC)
        dates = [self.public_from, public.public_from if public else None]
        public_from = min((each for each in dates if each and each != NEVER), default=None)
        return replace(self, readers=readers, until=until, public_from=public_from)

    def joined(self, other: "Rule") -> "Rule":
        """Return a rule that only those fulfil who fulfil both, if not all of them."""
        until = {}
        for reader in {*self.until, *other.until} | (self.readers | other.readers):
            moments = [rule.end_for(reader) for rule in (self, other)]
            if all(moments) and min(moments) != NEVER:
                until[reader] = min(moments)
        return Rule(
            self.readers & other.readers,
            until,
            self.stewards & other.stewards,
            _later(self.public_from, other.public_from),
            _later(self.since, other.since),
        )

    def end_for(self, reader: str) -> str:
        """Return until when a reader fulfils the rule, or nothing for one who does not."""
        return NEVER if reader in self.readers else self.until.get(reader, "")


def _no_earlier(moment: str | None, other: str | None) -> bool:
    """Tell whether what is public from one moment on is so no earlier than from another."""
    return moment is None or (other is not None and moment >= other)


def _later(one: str | None, other: str | None) -> str | None:
    return max(one, other) if one and other else None


def access_of(
    document: Mapping[str, Any],
    grants: Mapping[str, Grant],
    inputs: Sequence[Mapping[str, Any] | None],
) -> dict[str, Any]:
    """Return the part `access` of a catalog document: its grants and its rules.

    inputs : the documents of what it was derived from, None for one the catalog does not know,
    which nobody sees.

    >>> raw = {"owner": "mia", "proposal": "als-1", "created": "2026-11-24T22:00:00.000000Z"}
    >>> access_of(raw, {}, [])["rule1"]["readers"]
    ['proposal:als-1', 'user:mia']
    """
    if document.get("derived_from"):
        found = [rule for each in inputs for rule in (rules_in(each) if each else (Rule(),))]
        found = found or [Rule()]
    else:
        found = [_own_rule(document, grants.get(PUBLIC))]
    rules = _fewest(rule.widened(grants) for rule in found)
    part: dict[str, Any] = {
        name: rule.to_document() for name, rule in zip(RULES, rules, strict=False)
    }
    if grants:
        part["grants"] = {each: grants[each].to_document() for each in sorted(grants)}
    return part


def _own_rule(document: Mapping[str, Any], public: Grant | None) -> Rule:
    """Return the rule of a dataset that was made of no other."""
    owner, proposal = document.get("owner"), document.get("proposal")
    beamline = document.get("canonical", {}).get("beamline")
    stewards = {f"user:{owner}"} if owner else set()
    stewards |= {f"staff:{beamline}"} if beamline else set()
    members = {f"proposal:{proposal}"} if proposal else set()
    # A date that somebody set, also that it shall never be public, stands for the embargo.
    since = None if public else document.get("created")
    return Rule(frozenset(stewards | members), {}, frozenset(stewards), since=since)


def _fewest(rules: Iterable[Rule]) -> list[Rule]:
    """Return rules that say the same together, none of which follows from another."""
    kept: list[Rule] = []
    for rule in rules:
        if not any(other.implies(rule) for other in kept):
            kept = [other for other in kept if not rule.implies(other)] + [rule]
    kept.sort(key=lambda rule: str(rule.to_document()))
    while len(kept) > len(RULES):
        last = kept.pop()
        kept[-1] = kept[-1].joined(last)
    return kept


def rules_in(document: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the rules a document keeps."""
    part = document.get("access", {})
    return tuple(Rule.from_document(part[name]) for name in RULES if name in part) or (Rule(),)


def grants_in(document: Mapping[str, Any]) -> dict[str, Grant]:
    """Return the grants a document keeps."""
    found = document.get("access", {}).get("grants", {})
    return {each: Grant(**grant) for each, grant in found.items()}
