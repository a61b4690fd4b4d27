"""A whole file: links and sources, entries by their definitions, groups by their classes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightwell.nexus.validation.applications import check_application
from lightwell.nexus.validation.classes import check_classes
from lightwell.nexus.validation.findings import SEVERITIES, Finding, Report, Scope, Severity
from lightwell.nexus.validation.profiles import DEFAULT, Profile, profile_of
from lightwell.nexus.validation.ruleset import RuleSet
from lightwell.nexus.validation.tree import Array, Fault, Group, printable, read_tree

__all__ = ["validate"]

_ENTRIES = ("NXentry", "NXsubentry")
_MENDS = {
    "link-broken": "Put the target back, stage it, or remove the link.",
    "source-missing": "Put the file back or stage it; until then the array reads as fill values.",
    "object-damaged": "Copy the file again from its source, or repair it with h5repack.",
    "too-many-objects": "Nothing; split the file if you want all of it looked at.",
}


def validate(
    path: str | os.PathLike[str],
    *,
    profile: str = DEFAULT,
    rules: RuleSet | None = None,
    roots: Sequence[Path] | None = None,
) -> Report:
    """Return all that is wrong in a file, by a profile's definitions or by `rules`.

    Links are followed, outside `roots` they count as broken; no array is read. Raises
    UnreadableFile or NotFound for what is no HDF5 file, UnknownName for an unknown profile;
    whatever is damaged inside is a finding.
    """
    chosen = profile_of(profile)
    known = chosen.load(rules)
    tree = read_tree(path, roots=roots)
    file = _File(tree.root, known, chosen)
    findings = [*_faults(tree.faults, known), *file.findings()]
    judged = sorted(
        dict.fromkeys(chosen.judged(finding) for finding in findings),
        key=lambda finding: (SEVERITIES.index(finding.severity), finding.path),
    )
    return Report(
        path=printable(os.fspath(path)),
        profile=chosen.name,
        version=known.version,
        definitions=tuple(file.definitions),
        findings=tuple(judged),
    )


def _faults(faults: list[Fault], known: RuleSet) -> Iterator[Finding]:
    """Yield a finding for each thing that could not be reached."""
    for fault in faults:
        scope = Scope("NeXus", known.version, "broken", f"NeXus/{fault.code}")
        severity: Severity | None = "note" if fault.code == "too-many-objects" else None
        mend = _MENDS[fault.code]
        yield scope.finding(fault.code, fault.path, fault.message, mend, severity=severity)


class _File:
    def __init__(self, root: Group, known: RuleSet, profile: Profile) -> None:
        self.root = root
        self.known = known
        self.profile = profile
        #: Names and versions of the definitions that were applied.
        self.definitions: dict[str, None] = {}
        self._judged: set[tuple[int, str]] = set()

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the entries, then with all groups."""
        entries = list(_entries(self.root, "/", "NXentry"))
        if not entries:
            yield self._no_entry()
            return
        for entry, path in entries:
            yield from self._check_entry(entry, path)
            for inner, inner_path in _entries(entry, path, "NXsubentry"):
                yield from self._check_entry(inner, inner_path)
        yield from check_classes(self.root, self.known, self._judged)

    def _no_entry(self) -> Finding:
        scope = Scope("NXroot", self.known.version_of("NXroot"), "error", "NXroot/NXentry")
        message = "No group of the file says NX_class=NXentry, so nothing in it is NeXus."
        mend = "Write NX_class on the groups, or ingest the file: an importer may know its layout."
        return scope.finding("entry-absent", "/", message, mend)

    def _check_entry(self, entry: Group, path: str) -> Iterator[Finding]:
        nx_class = entry.nx_class or "NXentry"
        scope = Scope(
            nx_class, self.known.version_of(nx_class), "warning", f"{nx_class}/definition"
        )
        names = _definitions(entry)
        if not names:
            subentries = next(_entries(entry, path, "NXsubentry"), None)
            if subentries is None and nx_class == "NXentry":
                message = "The entry names no application definition; base classes alone judge it."
                mend = "Write the field definition, for example NXtomo, if it follows one."
                yield scope.finding("definition-absent", path, message, mend, severity="note")
        for name in names:
            rule = self.known.application(name)
            if rule is None:
                yield self._unknown(name, path, scope)
                continue
            version = self.known.version_of(name)
            self.definitions[f"{name} {version}"] = None
            inner = Scope(name, version, "error", f"{name}/{rule.label}")
            if rule.name_type == "specified" and rule.name != path.rpartition("/")[2]:
                message = f"{name} calls the entry {rule.name}."
                mend = f"Call it {rule.name}; programs look for that name."
                yield inner.finding("entry-name", path, message, mend, severity="warning")
            outcome = check_application(entry, path, rule, inner, self.known, self.profile)
            self._judged |= outcome.judged
            yield from outcome.findings

    def _unknown(self, name: str, path: str, scope: Scope) -> Finding:
        likely = self.known.likely(name, applications=True)
        shown = printable(name)
        if likely is not None:
            return scope.finding(
                "definition-misspelt",
                f"{path}/definition",
                f"There is no definition {shown!r}.",
                f"Write {likely}, if that is meant.",
                severity="error",
                found=name,
            )
        return scope.finding(
            "definition-unknown",
            f"{path}/definition",
            f"The definition {shown!r} is not among the rules; base classes alone judge the entry.",
            "Check the name, or give a set that has it with --nxdl.",
            found=name,
        )


def _entries(group: Group, path: str, nx_class: str) -> Iterator[tuple[Group, str]]:
    """Yield the groups of a class in a group, each under one name."""
    seen: set[int] = set()
    for name, inner in group.groups():
        if inner.nx_class == nx_class and id(inner) not in seen:
            seen.add(id(inner))
            yield inner, f"{path.rstrip('/')}/{printable(name)}"


def _definitions(entry: Group) -> list[str]:
    """Return the names of definitions an entry gives: bytes and lists of one are names too."""
    node = entry.node("definition")
    value: Any = node.value if isinstance(node, Array) else None
    values = value if isinstance(value, tuple) else (value,)
    return [text.strip() for text in values if isinstance(text, str) and text.strip()]
