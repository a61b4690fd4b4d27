"""Heaps of HDF5 that are damaged so that the library, once it reads them, comes to no end.

A global heap holds texts of variable length. The library walks from object to object by their
sizes and trusts them: a free object of size 0 is walked for ever, one that reaches beyond its
collection costs gigabytes. Layout: HDF5 file format specification, III.E, "Global Heap".
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lightwell.errors import UnreadableFile

__all__ = ["refuse_endless_heaps"]

_SIGNATURE: Final = b"GCOL\x01\x00\x00\x00"
_LARGEST: Final = 64_000_000
"""Bytes of a file that is looked through; in a larger one that would cost more than it helps."""
_SMALLEST: Final = 4096
_HEADER: Final = 16


def refuse_endless_heaps(path: Path) -> None:
    """Refuse an HDF5 file of up to 64 MB in which a global heap has impossible sizes.

    Errors: UnreadableFile.
    """
    if not 0 < path.stat().st_size <= _LARGEST:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(_SIGNATURE)
        while at >= 0:
            size = int.from_bytes(content[at + 8 : at + 16], "little")
            # What is no collection but happens to begin as one does is left alone.
            if _SMALLEST <= size <= len(content) - at and not _is_sound(content[at : at + size]):
                raise UnreadableFile(
                    f"{path.name} is damaged: HDF5 would not come to an end with its global heap "
                    f"at byte {at}",
                    where=str(path),
                    remedy="copy it again from its source",
                )
            at = content.find(_SIGNATURE, at + len(_SIGNATURE))


def _is_sound(collection: bytes) -> bool:
    """Whether every object ends within its collection, and behind where it begins."""
    return all(0 < length <= room for length, room in _objects(collection))


def _objects(collection: bytes) -> Iterator[tuple[int, int]]:
    """The length of every object and the room it has, up to the first impossible one."""
    at = _HEADER
    while at + _HEADER <= len(collection):
        is_free = not any(collection[at : at + 2])
        size = int.from_bytes(collection[at + 8 : at + 16], "little")
        # A free object's size counts its header; the others' are filled up to eight bytes.
        length = size if is_free else _HEADER + -(-size // 8) * 8
        yield length, len(collection) - at
        if length <= 0:
            return
        at += length
