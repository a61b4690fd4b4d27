"""Allowed roots: a service that ingests other people's files follows links only inside them."""

import os
from collections.abc import Sequence
from pathlib import Path

from lightwell.errors import InputError
from lightwell.files import File

__all__ = ["refuse_outside"]


def refuse_outside(file: File, roots: Sequence[Path]) -> None:
    """Refuse a file that does not lie in the roots, or that links to one that does not.

    Links of linked files are looked at too, each file once; symbolic links count by where they
    lead. Without roots everything is allowed.
    Errors: InputError naming the link and where it leads.
    """
    if not roots:
        return
    allowed = [os.path.realpath(root) for root in roots]
    start = os.path.realpath(file.local_path())
    if not _inside(start, allowed):
        raise InputError(
            f"{file.name} lies outside the folders this installation may read",
            where=str(file),
            remedy=f"put it into one of: {', '.join(allowed)}",
        )
    waiting, seen = [start], {start}
    while waiting:
        for target in _targets(waiting.pop(), allowed):
            if target not in seen:
                seen.add(target)
                waiting.append(target)


def _targets(path: str, allowed: Sequence[str]) -> list[str]:
    """The files the links and virtual sources of an HDF5 file lead to.

    Errors: InputError for the first that leads outside.
    """
    from lightwell.hdf5 import is_hdf5, links, open_file

    if not is_hdf5(path):
        return []
    found = []
    with open_file(path) as opened:
        for link in links(opened, roots=[Path(root) for root in allowed]):
            if link.target_file in (None, "."):
                continue
            target = os.path.realpath(Path(path).parent / str(link.target_file))
            if not _inside(target, allowed):
                raise InputError(
                    f"{link.path} leads outside the folders this installation may read, "
                    f"to {link.target_file}",
                    where=path,
                    remedy="put the linked file beside the others, or ask for its folder to be "
                    "added to `roots` in lightwell.toml",
                )
            found.append(target)
    return found


def _inside(path: str, allowed: Sequence[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in allowed)
