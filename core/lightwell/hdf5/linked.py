"""The files an object really consists of: its own, and whatever links below it lead to."""

import os
from collections.abc import Iterator

from lightwell.hdf5.links import Link, first_existing, links
from lightwell.hdf5.opening import open_file

__all__ = ["linked_files"]


def linked_files(path: str | os.PathLike[str], below: str = "/") -> list[str]:
    """Return the file itself, then in order of name those that links below an object lead to.

    External links and virtual sources count, also those of linked files, as far as they are
    there: whatever can be read has to be in a manifest, or its change would go unnoticed.
    """
    first = os.path.normpath(os.path.abspath(path))  # noqa: PTH100 - links keep their names
    known: dict[str, list[Link]] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(first, below)]
    while waiting:
        place = waiting.pop(0)
        if place not in seen:
            seen.add(place)
            waiting.extend(_targets(*place, known))
    return [first, *sorted({file for file, _ in seen} - {first})]


def _targets(path: str, below: str, known: dict[str, list[Link]]) -> Iterator[tuple[str, str]]:
    """Yield file and path of the targets that are there of the links below an object."""
    if path not in known:
        with open_file(path) as opened:
            known[path] = list(links(opened))
    inside = f"{below.rstrip('/')}/"
    for link in known[path]:
        # A link above the object is on the way to it.
        on_the_way = inside.startswith(f"{link.path}/")
        if not link.exists or not (on_the_way or f"{link.path}/".startswith(inside)):
            continue
        target = link.target_path if link.target_path.startswith("/") else "/"
        rest = inside[len(link.path) :].rstrip("/") if on_the_way else ""
        for name in _numbered(link.target_file or ""):
            found = first_existing(path, name) if link.target_file else path
            if found is None:
                break
            yield os.path.normpath(found), f"{target.rstrip('/')}{rest}" or "/"


def _numbered(target: str) -> Iterator[str]:
    """Yield the names of a numbered series ("%b"), as virtual datasets may have, without end."""
    if "%b" not in target:
        yield target
        return
    number = 0
    while True:
        yield target.replace("%b", str(number)).replace("%%", "%")
        number += 1
