"""Who may see, change and share a dataset, as filters that the catalog adds to every question."""

from lightwell.access.filters import (
    EVERYTHING,
    AccessFilter,
    OwnerOnly,
    Restriction,
    changeable,
    grantable,
    readable,
)
from lightwell.access.policy import Policy
from lightwell.access.principals import PUBLIC, named, tokens_of
from lightwell.access.rules import NEVER, RULES, Grant, Rule, access_of, grants_in, rules_in

__all__ = [
    "EVERYTHING",
    "NEVER",
    "PUBLIC",
    "RULES",
    "AccessFilter",
    "Grant",
    "OwnerOnly",
    "Policy",
    "Restriction",
    "Rule",
    "access_of",
    "changeable",
    "grantable",
    "grants_in",
    "named",
    "readable",
    "rules_in",
    "tokens_of",
]
