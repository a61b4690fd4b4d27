"""Every class of the model against the NeXus definition of its class."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest

from lightwell import model
from lightwell.model import ArrayRef, Group
from lightwell.model.base import Member, members
from lightwell.units import fits

REPOSITORY = Path(__file__).parents[3]
DATA = Path(os.environ.get("LIGHTWELL_DATA", REPOSITORY.parent / "shared" / "data"))
NXDL = DATA / "nexus" / "nxdl" / "base_classes"
NS = "{http://definition.nexusformat.org/nxdl/3.1}"

# Where we differ on purpose from the base class, and why.
DEVIATIONS = {
    "Technique.*": "NXcollection: NeXus has no group for the technique yet",
    "Instrument.beamline": "GDA and others write it beside the instrument's name",
    "Sample.y_translation": "from NXtomo",
    "Sample.z_translation": "from NXtomo",
    "Detector.beam_center_x": "NX_LENGTH, but everybody writes pixels, and steps need them",
    "Detector.beam_center_y": "NX_LENGTH, but everybody writes pixels, and steps need them",
    "Detector.x_rotation_axis_pixel_position": "from NXtomo",
    "Detector.y_rotation_axis_pixel_position": "from NXtomo",
    "Detector.rotation_angle": "from NXsas",
    "Detector.flatfield": "NX_FLOAT; the array says its own type",
    "Entry.cites": "NXcite has no place in NXentry; tools look for it there",
    "Process.cites": "NXcite has no place in NXprocess; it belongs to the program",
    "Note.data": "NX_BINARY; ours holds text, written as bytes",
    "Parameters.*": "its fields have any name",
    "Data.*": "its fields have any name",
    "Positioner.*": "NX_ANY: the unit stands beside, see Positioner.unit",
}
# Base class of components, not among the files: what we use of it.
COMPONENT = {"name": "NX_CHAR", "description": "NX_CHAR"}
TYPES = {
    str: {"NX_CHAR"},
    datetime: {"NX_DATE_TIME"},
    bool: {"NX_BOOLEAN"},
    int: {"NX_INT", "NX_POSINT", "NX_NUMBER"},
    float: {"NX_FLOAT", "NX_NUMBER", "NX_INT"},
    ArrayRef: {"NX_FLOAT", "NX_NUMBER", "NX_INT"},
}

pytestmark = pytest.mark.skipif(not NXDL.is_dir(), reason=f"no NXDL files in {NXDL}")


def classes() -> list[type[Group]]:
    found = [getattr(model, name) for name in model.__all__]
    return [c for c in found if isinstance(c, type) and issubclass(c, Group) and c is not Group]


@cache
def definition(nx_class: str) -> ET.Element | None:
    path = NXDL / f"{nx_class}.nxdl.xml"
    return ET.parse(path).getroot() if path.is_file() else None  # noqa: S314 - NeXus's own


def cases() -> Iterator[tuple[type[Group], Member]]:
    for cls in classes():
        for member in members(cls):
            names = {f"{cls.__name__}.{member.name}", f"{cls.__name__}.*"}
            if not names & set(DEVIATIONS):
                yield cls, member


@pytest.mark.parametrize(
    ("cls", "member"), [pytest.param(c, m, id=f"{c.__name__}.{m.name}") for c, m in cases()]
)
def test_member_is_in_the_definition(cls: type[Group], member: Member) -> None:
    root = definition(cls.nx_class)
    if root is None:
        pytest.skip(f"{cls.nx_class} is not among the NXDL files here")
    if member.group is not None:
        wanted = "NXsubentry" if member.name == "subentries" else member.group.nx_class
        allowed = {group.get("type") for group in root.findall(f"{NS}group")}
        objects = definition("NXobject")
        assert objects is not None
        allowed |= {group.get("type") for group in objects.findall(f"{NS}group")}
        assert wanted in allowed
        return
    fields = {field.get("name"): field for field in root.findall(f"{NS}field")}
    field = fields.get(member.name)
    if field is None:
        assert member.name in COMPONENT, f"{cls.nx_class} has no field {member.name}"
        return
    _compare(member, field.get("type", "NX_CHAR"), field.get("units"))


def _compare(member: Member, nx_type: str, category: str | None) -> None:
    for kind in member.types:
        assert nx_type in TYPES[kind], f"{member.name}: {kind} for {nx_type}"
    if member.unit is not None:
        assert category is not None, f"{member.name} has no unit in NeXus"
        assert fits(member.unit, category), f"{member.unit} is no {category}"
    elif category not in (None, "NX_ANY", "NX_UNITLESS", "NX_DIMENSIONLESS"):
        assert member.types <= {ArrayRef}, f"{member.name} needs a unit of {category}"


def test_deviations_are_not_stale() -> None:
    known = {f"{c.__name__}.{m.name}" for c in classes() for m in members(c)}
    known |= {f"{c.__name__}.*" for c in classes()}
    assert set(DEVIATIONS) <= known
