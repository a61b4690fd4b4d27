"""Numbers in files that need no library of their own, whichever of the containers they are in."""

from lightwell.containers.columns import ColumnArray
from lightwell.containers.npz import NpzArray
from lightwell.containers.xml_numbers import XmlArray
from lightwell.files import File

__all__ = ["open_numbers"]


def open_numbers(container: str, file: File, path: str) -> ColumnArray | NpzArray | XmlArray:
    """Open a column by its number, an array by its name, or the elements at a path of XML.

    Errors: UnreadableFile where the file has none there.
    """
    if container == "npz":
        return NpzArray(file, path)
    return ColumnArray(file, int(path)) if container == "columns" else XmlArray(file, path)
