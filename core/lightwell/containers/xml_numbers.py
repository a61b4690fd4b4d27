"""Numbers that stand in XML, one per element, as one array."""

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from lightwell.errors import UnreadableFile
from lightwell.files import File

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["XmlArray", "elements", "local_name", "read_xml"]


def read_xml(file: File) -> ElementTree.Element | None:
    """The root of an XML file, or None for what is none or carries its own entities.

    Errors: NotFound, UnreadableFile for XML that is damaged.
    """
    head = file.read_bytes(0, 4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith(b"<"):
        return None
    content = file.read_bytes()
    # Entities can make a small file fill all memory, and no format of numbers needs them.
    if b"<!ENTITY" in content:
        return None
    try:
        return ElementTree.fromstring(content)  # noqa: S314  (entities are refused above)
    except ElementTree.ParseError as error:
        raise UnreadableFile(
            f"{file.name} is not whole XML ({error})",
            where=str(file),
            remedy="The file is damaged or not complete; copy it again",
        ) from error


def local_name(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def elements(root: ElementTree.Element, path: str) -> list[ElementTree.Element]:
    """Every element at a path of local names; ``name[2]`` is the third of that name.

    >>> tree = ElementTree.fromstring("<a><b><c>1</c></b><b><c>2</c></b></a>")
    >>> [one.text for one in elements(tree, "b[1]/c")], len(elements(tree, "b/c"))
    (['2'], 2)
    """
    found = [root]
    for step in path.split("/"):
        name, _, number = step.rstrip("]").partition("[")
        inner = [[c for c in one if local_name(c) == name] for one in found]
        found = [
            c for some in inner for c in (some[int(number) : int(number) + 1] if number else some)
        ]
    return found


class XmlArray:
    """The numbers of all elements at a path, in their order; not a number where one is empty."""

    def __init__(self, file: File, path: str) -> None:
        import numpy as np

        root = read_xml(file)
        texts = [] if root is None else [(one.text or "").strip() for one in elements(root, path)]
        try:
            self._values = np.array([float(text) if text else np.nan for text in texts])
        except ValueError as error:
            raise UnreadableFile(f"{path} holds no numbers ({error})", where=str(file)) from error

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._values.shape)

    @property
    def dtype(self) -> Any:
        return self._values.dtype

    def read(self, selection: Any = ()) -> "NDArray[Any]":
        """Return the selected numbers."""
        found: NDArray[Any] = self._values[selection]
        return found
