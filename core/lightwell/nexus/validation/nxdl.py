"""NXDL files to rules: the facts of NeXus definitions, without their documentation."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from lightwell.errors import InputError
from lightwell.nexus.validation.rules import (
    AttributeRule,
    ChoiceRule,
    Definition,
    FieldRule,
    GroupRule,
    LinkRule,
)

__all__ = ["derive", "version_of"]

_FOLDERS = ("base_classes", "applications", "contributed_definitions")
_EXTRAS = {"fields": "Fields", "groups": "Groups", "attributes": "Attributes"}


def derive(folder: str | os.PathLike[str]) -> tuple[Definition, ...]:
    """Return the definitions in a folder of NXDL files, by name.

    The folder is that of the NeXus definitions or any that holds `*.nxdl.xml` below it. Raises
    InputError where there are none, or where one cannot be read.
    """
    root = Path(folder)
    found = {definition.name: definition for definition in map(_parsed, _files(root))}
    if not found:
        raise InputError(
            "the folder holds no NXDL files",
            where=str(root),
            remedy="Give the folder of the NeXus definitions, with base_classes and applications",
        )
    return tuple(found[name] for name in sorted(found))


def version_of(folder: str | os.PathLike[str]) -> str:
    """Return the version a folder of definitions states, or else the folder's name."""
    root = Path(folder)
    stated = root / "NXDL_VERSION"
    try:
        return stated.read_text("utf-8").strip() or root.name
    except (OSError, UnicodeDecodeError):
        return root.resolve().name


def _files(root: Path) -> Iterator[Path]:
    """Yield contributed definitions first, so that official ones of the same name win."""
    named = [root / name for name in _FOLDERS if (root / name).is_dir()]
    for folder in reversed(named or [root]):
        yield from sorted(folder.rglob("*.nxdl.xml"))


def _parsed(path: Path) -> Definition:
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - the user's own choice; expat limits entities
    except (OSError, ET.ParseError, ValueError) as error:
        raise InputError(f"the NXDL file cannot be read ({error})", where=str(path)) from error
    if _tag(root) != "definition" or not root.get("name"):
        raise InputError("this is not an NXDL definition", where=str(path))
    try:
        return _definition(root)
    except ValueError as error:
        raise InputError(f"the NXDL file is wrong: {error}", where=str(path)) from error


def _definition(root: ET.Element) -> Definition:
    category = root.get("category", "base")
    # In a base class all may be missing; in an application definition all must be there.
    least = 1 if category == "application" else 0
    return Definition(
        name=root.get("name", ""),
        category=category,
        extends=root.get("extends"),
        symbols=tuple(
            s.get("name", "") for e in _each(root, "symbols") for s in _each(e, "symbol")
        ),
        open_to=tuple(k for k, v in _EXTRAS.items() if _true(root.get(f"ignoreExtra{v}"))),
        deprecated="deprecated" in root.attrib,
        attributes=_attributes(root, least),
        fields=tuple(_field(e, least) for e in _each(root, "field")),
        groups=tuple(_group(e, least) for e in _each(root, "group")),
        links=_links(root),
        choices=tuple(_choice(e, least) for e in _each(root, "choice")),
    )


def _group(element: ET.Element, least: int) -> GroupRule:
    name = element.get("name")
    free = name is None or name.isupper()
    return GroupRule(
        nx_class=element.get("type", "NXobject"),
        name=name,
        least=_least(element, least),
        most=_most(element),
        name_type=element.get("nameType", "any" if free else "specified"),
        deprecated="deprecated" in element.attrib,
        attributes=_attributes(element, least),
        fields=tuple(_field(e, least) for e in _each(element, "field")),
        groups=tuple(_group(e, least) for e in _each(element, "group")),
        links=_links(element),
        choices=tuple(_choice(e, least) for e in _each(element, "choice")),
    )


def _field(element: ET.Element, least: int) -> FieldRule:
    name = element.get("name", "")
    # Older base classes write DATA for "any name" and say no more; in application definitions
    # (Q, I, T of NXcanSAS) upper case is the name itself.
    free = not least and len(name) > 1 and name.isupper()
    rank, dimensions = _dimensions(element)
    values, is_open = _enumeration(element)
    return FieldRule(
        name=name,
        type=element.get("type"),
        units=element.get("units"),
        least=_least(element, least),
        most=_most(element),
        name_type=element.get("nameType", "any" if free else "specified"),
        rank=rank,
        dimensions=dimensions,
        values=values,
        open=is_open,
        deprecated="deprecated" in element.attrib,
        attributes=_attributes(element, least),
    )


def _attributes(element: ET.Element, least: int) -> tuple[AttributeRule, ...]:
    return tuple(_attribute(e, least) for e in _each(element, "attribute"))


def _attribute(element: ET.Element, least: int) -> AttributeRule:
    values, is_open = _enumeration(element)
    return AttributeRule(
        name=element.get("name", ""),
        type=element.get("type", "NX_CHAR"),
        least=_least(element, least),
        values=values,
        open=is_open,
        name_type=element.get("nameType", "specified"),
        deprecated="deprecated" in element.attrib,
    )


def _choice(element: ET.Element, least: int) -> ChoiceRule:
    groups = tuple(_group(e, least) for e in _each(element, "group"))
    return ChoiceRule(element.get("name", ""), groups, max((g.least for g in groups), default=0))


def _links(element: ET.Element) -> tuple[LinkRule, ...]:
    return tuple(LinkRule(e.get("name", ""), e.get("target", "")) for e in _each(element, "link"))


def _least(element: ET.Element, default: int) -> int:
    """Return how often an element must occur: `optional` and `recommended` are "not at all"."""
    for word in ("optional", "recommended"):
        if word in element.attrib:
            default = 0 if _true(element.get(word)) else 1
    if _true(element.get("required")):
        default = 1
    return int(element.get("minOccurs", default))


def _most(element: ET.Element) -> int | None:
    stated = element.get("maxOccurs")
    return None if stated in (None, "unbounded") else int(stated)


def _dimensions(element: ET.Element) -> tuple[str | None, tuple[str, ...]]:
    """Return rank and lengths; without a rank where an axis may be left out."""
    found = element.find("{*}dimensions")
    if found is None:
        return None, ()
    dims = sorted(_each(found, "dim"), key=lambda dim: int(dim.get("index", 0)))
    if any(dim.get("required") == "false" for dim in dims):
        return None, ()
    # An axis whose length is that of another field has no symbol of its own.
    return found.get("rank"), tuple(dim.get("value", "?") for dim in dims)


def _enumeration(element: ET.Element) -> tuple[tuple[str, ...], bool]:
    found = element.find("{*}enumeration")
    if found is None:
        return (), False
    items = tuple(item.get("value", "") for item in _each(found, "item"))
    return items, _true(found.get("open"))


def _each(element: ET.Element, tag: str) -> Iterator[ET.Element]:
    return (child for child in element if _tag(child) == tag)


def _tag(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _true(text: str | None) -> bool:
    return text in ("true", "1")
