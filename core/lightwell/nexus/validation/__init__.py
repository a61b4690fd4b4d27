"""Validation: a file against the NeXus definitions, every finding with path, rule and mend."""

from lightwell.nexus.validation.apart import validate_apart
from lightwell.nexus.validation.findings import CODES, SEVERITIES, Finding, Report
from lightwell.nexus.validation.profiles import DEFAULT, PROFILES, Profile, Waiver
from lightwell.nexus.validation.ruleset import RuleSet, load_rules, rules_from_nxdl
from lightwell.nexus.validation.validator import validate

__all__ = [
    "CODES",
    "DEFAULT",
    "PROFILES",
    "SEVERITIES",
    "Finding",
    "Profile",
    "Report",
    "RuleSet",
    "Waiver",
    "load_rules",
    "rules_from_nxdl",
    "validate",
    "validate_apart",
]
