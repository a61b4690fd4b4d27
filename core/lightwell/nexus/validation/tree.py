"""A file as it stands: groups, arrays, attributes and links, looked at once, each object once."""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from lightwell.errors import LightwellError
from lightwell.hdf5 import (
    Member,
    Place,
    address,
    all_attributes,
    array_facts,
    locate,
    members,
    object_kind,
    open_file,
    virtual_links,
)

__all__ = ["Array", "Child", "Fault", "Group", "Tree", "printable", "read_tree"]

#: A file with more objects is looked at so far and no further.
MOST_OBJECTS = 200_000
_OPEN_FILES = 16
_SHOWN_SOURCES = 5

FaultCode = Literal["link-broken", "source-missing", "object-damaged", "too-many-objects"]
Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something of a file that cannot be reached."""

    code: FaultCode
    path: str
    message: str


@dataclass(slots=True)
class Array:
    """An HDF5 dataset: its kind, its shape, its value where that is short.

    `is_foreign`: it lies in another file, to which a link led.
    """

    path: str
    attributes: Attributes
    shape: tuple[int, ...] | None
    kind: str
    value: Any
    is_foreign: bool = False


@dataclass(slots=True)
class Child:
    """A name in a group; `node` is None where it leads to nothing that can be judged."""

    name: str
    link: Literal["hard", "soft", "external"]
    node: "Group | Array | None" = None
    target: str | None = None


@dataclass(slots=True)
class Group:
    """An HDF5 group. `path` is its first name; links may give it others."""

    path: str
    attributes: Attributes
    is_foreign: bool = False
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def nx_class(self) -> str | None:
        """The NX_class, if it is text."""
        found = self.attributes.get("NX_class")
        return found if isinstance(found, str) and found else None

    def node(self, name: str) -> "Group | Array | None":
        """Return what stands under a name."""
        child = self.children.get(name)
        return None if child is None else child.node

    def groups(self) -> Iterator[tuple[str, "Group"]]:
        """Yield the groups in this one by name."""
        for name, child in self.children.items():
            if isinstance(child.node, Group):
                yield name, child.node

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield the arrays in this one by name."""
        for name, child in self.children.items():
            if isinstance(child.node, Array):
                yield name, child.node

    def find(self, path: str) -> "Group | Array | None":
        """Return what a relative path leads to."""
        here: Group | Array | None = self
        for part in path.split("/"):
            if part in ("", "."):
                continue
            here = here.node(part) if isinstance(here, Group) else None
        return here


@dataclass(slots=True)
class Tree:
    """What was found in a file."""

    root: Group
    faults: list[Fault]


def read_tree(path: str | os.PathLike[str], *, roots: Sequence[Path] | None = None) -> Tree:
    """Return what a file holds, links followed (outside `roots` they count as broken).

    Raises UnreadableFile or NotFound if it is no HDF5 file; what is damaged inside becomes a
    fault. No array is read, and the file is closed afterwards.
    """
    reader = _Reader(os.path.normpath(Path(path).absolute()), roots)
    try:
        return reader.read()
    finally:
        reader.close()


class _Reader:
    """Walks with a stack of its own: files may nest deeper than Python may."""

    def __init__(self, name: str, roots: Sequence[Path] | None) -> None:
        self.name = name
        self.roots = roots
        self.faults: list[Fault] = []
        self._nodes: dict[tuple[str, int], Group | Array] = {}
        self._files: OrderedDict[str, Any] = OrderedDict()
        self._groups: list[tuple[Place, Group]] = []
        self._links: list[tuple[Place, str, Child]] = []

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def read(self) -> Tree:
        file = self._file(self.name)
        root = Group("/", all_attributes(file))
        try:
            self._nodes[self.name, address(file)] = root
        except Exception as error:
            # A damaged file opens, and then h5py raises errors of any kind.
            self._fault("object-damaged", "/", f"The root group cannot be read: {error}")
            return Tree(root, self.faults)
        self._groups.append((Place(self.name, "/"), root))
        while (self._groups or self._links) and len(self._nodes) <= MOST_OBJECTS:
            # Links last, so that an object is known by the name it really has.
            if self._groups:
                self._expand(*self._groups.pop())
            else:
                self._follow(*self._links.pop())
        if self._groups or self._links:
            text = f"The file holds more than {MOST_OBJECTS} objects; the rest was not looked at."
            self._fault("too-many-objects", "/", text)
        return Tree(root, self.faults)

    def _file(self, name: str) -> Any:
        """Return an open file; a few are kept open, since links often lead into the same one."""
        if name not in self._files:
            self._files[name] = open_file(name)
            while len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(name)
        return self._files[name]

    def _fault(self, code: FaultCode, path: str, message: str) -> None:
        text = printable(message.strip())
        self.faults.append(Fault(code, printable(path), text if text.endswith(".") else f"{text}."))

    def _expand(self, place: Place, group: Group) -> None:
        """Look at all names in a group."""
        try:
            item = self._file(place.file)[place.path]
            found = members(item)
        except Exception as error:
            # As above; also a file that went since a link led into it.
            self._fault("object-damaged", group.path, f"The group cannot be read: {error}")
            return
        for member in found:
            path = f"{group.path.rstrip('/')}/{member.name}"
            child = Child(member.name, member.link, None, member.target_path)
            group.children[member.name] = child
            if member.link == "hard":
                inner = Place(place.file, f"{place.path.rstrip('/')}/{member.name}")
                child.node = self._opened(item, member, inner, path)
            else:
                self._links.append(
                    (Place(place.file, f"{place.path.rstrip('/')}/{member.name}"), path, child)
                )

    def _opened(self, group: Any, member: Member, place: Place, path: str) -> Group | Array | None:
        """Return the object of a hard link; what cannot be opened is damaged."""
        try:
            return self._node(group[member.name], place, path)
        except Exception as error:
            # As above: each is a finding.
            self._fault("object-damaged", path, f"The object cannot be read: {error}")
            return None

    def _follow(self, place: Place, path: str, child: Child) -> None:
        """Follow a soft or external link by hand."""
        try:
            if child.link == "soft" and self.roots is None:
                child.node = self._soft(place, path)
                if child.node is not None:
                    return
            there = locate(place.file, place.path, roots=self.roots)
            child.node = self._node(self._file(there.file)[there.path], there, path)
        except LightwellError as error:
            self._fault("link-broken", path, f"The link leads to nothing: {error.what}")
        except Exception as error:
            # As above: whatever a damaged target makes h5py say.
            self._fault("link-broken", path, f"The link leads to nothing that can be read: {error}")

    def _soft(self, place: Place, path: str) -> "Group | Array | None":
        """Return the target of a soft link if HDF5 finds it, which is quicker than we are."""
        try:
            item = self._file(place.file)[place.path]
        except (KeyError, OSError, RuntimeError, ValueError):
            return None
        # A soft link may lead through an external one, and so into another file.
        file = os.path.normpath(Path(str(item.file.filename)).absolute())
        return self._node(item, Place(file, str(item.name or place.path)), path)

    def _node(self, item: Any, place: Place, path: str) -> Group | Array | None:
        """Return an object as the tree holds it; one seen before is the same one."""
        mark = (place.file, address(item))
        known = self._nodes.get(mark)
        if known is not None:
            return known
        kind = object_kind(item)
        is_foreign = place.file != self.name
        if kind == "type":
            return None
        if kind == "group":
            group = Group(path, all_attributes(item), is_foreign)
            self._nodes[mark] = group
            self._groups.append((place, group))
            return group
        facts = array_facts(item)
        array = Array(path, all_attributes(item), facts.shape, facts.kind, facts.value, is_foreign)
        self._nodes[mark] = array
        if facts.why is not None:
            self._fault("object-damaged", path, f"The value cannot be read: {facts.why}")
        if facts.is_virtual:
            self._check_sources(item, place, path)
        return array

    def _check_sources(self, item: Any, place: Place, path: str) -> None:
        """Note the sources of a virtual dataset that are missing, the first few by name."""
        missing = (
            link.why for link in virtual_links(item, place.path, place.file, self.roots) if link.why
        )
        shown = list(islice(missing, _SHOWN_SOURCES))
        rest = sum(1 for _ in missing)
        for why in shown:
            self._fault("source-missing", path, f"A source of the array is missing: {why}")
        if rest:
            self._fault("source-missing", path, f"{rest} more sources of the array are missing.")


def printable(text: str) -> str:
    r"""Return a name or message on one line, with what cannot be printed escaped.

    >>> printable("dcm1\n\t")
    'dcm1\\n\\t'
    """
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if clean.isprintable():
        return clean
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in clean)
