"""Findings: what is wrong in a file, where, by which rule, and what to do about it."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["CODES", "SEVERITIES", "Finding", "Report", "Scope", "Severity"]

Severity = Literal["error", "broken", "warning", "note"]

#: From worst to mildest; only errors and broken things make a file invalid.
SEVERITIES: tuple[Severity, ...] = ("error", "broken", "warning", "note")

#: What each code means; docs/validate.md says the same.
CODES: Mapping[str, str] = MappingProxyType(
    {
        "attribute-missing": "a required attribute is not there",
        "attribute-type": "an attribute's value is of another type",
        "attribute-value": "an attribute says none of the allowed values",
        "axes-as-text": "several axes are named in one text instead of a list",
        "axes-missing": "`axes` names a field that is not there",
        "axes-rank": "the axes do not fit the dimensions of the signal",
        "class-absent": "a group says no NX_class",
        "class-misspelt": "an NX_class is probably a misspelt one",
        "class-unknown": "an NX_class that the rules do not know",
        "class-wrong": "a group is of another class than its place asks for",
        "date-format": "a date or time is not ISO 8601",
        "date-zone": "a time says no time zone",
        "default-missing": "`default` names something that is not there",
        "definition-absent": "an entry names no application definition",
        "definition-misspelt": "an application definition is probably a misspelt one",
        "definition-unknown": "an application definition that is not among the rules",
        "deprecated": "something that NeXus asks to write no more",
        "entry-absent": "the file holds no NXentry",
        "entry-name": "the definition gives the entry another name",
        "enumeration": "a field says none of the allowed values",
        "field-missing": "a required field is not there",
        "field-unknown": "no definition knows the field",
        "group-missing": "a required group is not there",
        "group-surplus": "a group occurs more often than is allowed",
        "group-unexpected": "no definition expects a group of this class here",
        "integer-for-float": "integers where floating-point numbers are asked for",
        "kind": "a group where a field is asked for, or the reverse",
        "link-broken": "a soft or external link leads to nothing",
        "link-copied": "a copy stands where a link is asked for",
        "link-missing": "a required link is not there",
        "link-without-target": "a linked object does not say in `target` where it stands",
        "name-form": "a name with characters that NeXus does not allow",
        "object-damaged": "a group or value that cannot be read",
        "rank": "an array has another number of dimensions than is asked for",
        "reader-died": "HDF5 itself crashed at the file",
        "reader-stuck": "reading the file does not come to an end",
        "signal-absent": "an NXdata says no signal",
        "signal-missing": "`signal` names a field that is not there",
        "size": "lengths that must be equal differ",
        "source-missing": "a source of a virtual dataset is missing",
        "target-missing": "`target` names something that is not there",
        "too-many-objects": "the file is too large to be looked at whole",
        "type": "a field is of another type than is asked for",
        "unit-category": "a unit of another kind than is asked for",
        "unit-missing": "a quantity without a unit",
        "unit-spelling": "a unit that is understood, but not spelt as NeXus asks",
        "unit-unknown": "a unit that is none",
        "unit-unwanted": "a unit where the value has none",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: a sentence, and the same as data.

    `path` is in the file, `rule` in the definition; `found` is what stands there, `waiver` the
    exception of the profile that made it a milder one.
    """

    severity: Severity
    code: str
    path: str
    message: str
    mend: str
    rule: str
    definition: str
    version: str
    found: str | None = None
    waiver: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Scope:
    """The place in a definition that a check speaks for, and how grave its findings are."""

    definition: str
    version: str
    severity: Severity
    rule: str

    def at(self, *parts: str) -> "Scope":
        """Return the scope of something inside."""
        return dataclasses.replace(self, rule="/".join((self.rule, *parts)))

    def attribute(self, name: str) -> "Scope":
        """Return the scope of an attribute."""
        return dataclasses.replace(self, rule=f"{self.rule}@{name}")

    def finding(
        self,
        code: str,
        path: str,
        message: str,
        mend: str,
        *,
        severity: Severity | None = None,
        found: object = None,
    ) -> Finding:
        """Return a finding of this scope."""
        return Finding(
            severity=severity or self.severity,
            code=code,
            path=path,
            message=message,
            mend=mend,
            rule=self.rule,
            definition=self.definition,
            version=self.version,
            found=None if found is None else str(found),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about a file, the worst first."""

    path: str
    profile: str
    version: str
    definitions: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_valid(self) -> bool:
        """Whether there are neither errors nor broken links and sources."""
        return not self.of("error") and not self.of("broken")

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(f for f in self.findings if f.severity == severity)

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each severity."""
        found = Counter(f.severity for f in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    def to_document(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "path": self.path,
            "profile": self.profile,
            "version": self.version,
            "definitions": list(self.definitions),
            "valid": self.is_valid,
            "counts": self.counts(),
            "findings": [f.to_document() for f in self.findings],
        }
