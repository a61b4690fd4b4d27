"""Profiles: which definitions judge a file, and which of their rules are waived, and why."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType

from lightwell.errors import UnknownName
from lightwell.nexus.validation.findings import Finding, Severity
from lightwell.nexus.validation.ruleset import RuleSet, load_rules

__all__ = ["DEFAULT", "PROFILES", "Order", "Profile", "Waiver", "profile_of"]

DEFAULT = "nexus-v2026.01"


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule that is not held against a file: findings get a milder severity, and its name.

    `rule` is a pattern for the NXDL path, `found` one for what stands in the file.
    """

    name: str
    code: str
    rule: str
    reason: str
    severity: Severity = "note"
    found: str | None = None

    def covers(self, finding: Finding) -> bool:
        """Return whether a finding is waived."""
        if finding.code != self.code or not fnmatchcase(finding.rule, self.rule):
            return False
        return self.found is None or re.fullmatch(self.found, finding.found or "") is not None


@dataclass(frozen=True, slots=True)
class Order:
    """Another order of axes that a field may have."""

    name: str
    rule: str
    dimensions: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A version of the definitions, definitions that replace some of them, and waivers."""

    name: str
    rules: str
    overlays: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    orders: tuple[Order, ...] = ()

    def load(self, instead: RuleSet | None = None) -> RuleSet:
        """Return the rules, or `instead`, with this profile's own definitions in their place."""
        found = instead or load_rules(self.rules)
        for name in self.overlays:
            found = found.overlaid(load_rules(name))
        return found

    def judged(self, finding: Finding) -> Finding:
        """Return a finding as this profile sees it."""
        for waiver in self.waivers:
            if waiver.covers(finding):
                return replace(finding, severity=waiver.severity, waiver=waiver.name)
        return finding

    def order(self, rule: str) -> Order | None:
        """Return another order of axes allowed for a field, if there is one."""
        return next((order for order in self.orders if order.rule == rule), None)


_WAIVERS = (
    Waiver(
        name="beam-centre-in-pixels",
        code="unit-category",
        rule="*/beam_center_[xy]",
        found=r"px|pixels?|Pixels?",
        reason="NXDL asks for a length; instruments and programs write and read pixels.",
    ),
    Waiver(
        name="integer-for-float",
        code="integer-for-float",
        rule="*",
        severity="warning",
        reason="Every program reads 12 as 12.0; no value is lost.",
    ),
    Waiver(
        name="tomography-frames-as-floats",
        code="type",
        rule="NXtomo/NXentry/instrument/detector/data",
        found="floating-point numbers",
        severity="warning",
        reason="Archives hold averaged or corrected frames; every program reads them.",
    ),
    Waiver(
        name="cansas-version-1.0",
        code="attribute-value",
        rule="NXcanSAS/*@version",
        found=r"1\.0",
        severity="warning",
        reason="Most files say 1.0, which differs in nothing that is checked here.",
    ),
    Waiver(
        name="cansas-transmission-over-wavelength",
        code="attribute-value",
        rule="NXcanSAS/*@T_axes",
        found="lambda",
        reason="NXDL allows T, the signal itself, and means the wavelength.",
    ),
    Waiver(
        name="cansas-mask-only-where-masked",
        code="attribute-missing",
        rule="NXcanSAS/*@mask",
        reason="The attribute names the mask of two-dimensional data; most data has none.",
    ),
    Waiver(
        name="cansas-indices-as-text",
        code="attribute-type",
        rule="NXcanSAS/*@Q_indices",
        found=r"[0-9 ,]+",
        severity="warning",
        reason='Irena and Nika write "0" for 0; SasView and silx read it.',
    ),
    Waiver(
        name="cxi-probe-is-a-word",
        code="type",
        rule="NXcxi_ptycho/*/source_1/probe",
        found="text",
        reason="NXDL types it as NX_FLOAT, and means x-ray or electron.",
    ),
    Waiver(
        name="cxi-source-type-is-a-word",
        code="type",
        rule="NXcxi_ptycho/*/source_1/type",
        found="text",
        reason="NXDL types it as NX_FLOAT, and means Synchrotron X-ray Source and the like.",
    ),
)
_ORDERS = (
    Order(
        name="volume-axes-zyx",
        rule="NXtomoproc/NXentry/data/data",
        dimensions=("nZ", "nY", "nX"),
        reason="NXDL lists x, y, z; everybody stores volumes z, y, x, the slice axis slowest.",
    ),
)

#: By name; a name carries its version, and what it means does not change.
PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(DEFAULT, rules="nexus-v2026.01", waivers=_WAIVERS, orders=_ORDERS),
            Profile(
                "nxxas-proposal",
                rules="nexus-v2026.01",
                overlays=("nxxas-proposal",),
                waivers=_WAIVERS,
                orders=_ORDERS,
            ),
        )
    }
)


def profile_of(name: str) -> Profile:
    """Return a profile by name; UnknownName names those there are."""
    if name not in PROFILES:
        known = ", ".join(PROFILES)
        raise UnknownName(f"there is no profile {name!r}", remedy=f"There are {known}")
    return PROFILES[name]
