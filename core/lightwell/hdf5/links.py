"""Links and virtual sources, followed by hand: nothing is opened unseen, nothing missing passes."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py

from lightwell.errors import LightwellError, MissingSource
from lightwell.hdf5.opening import identity, open_file

__all__ = ["Link", "Place", "first_existing", "links", "locate", "missing_sources", "virtual_links"]

_MOST_HOPS = 16


@dataclass(frozen=True, slots=True)
class Link:
    """A soft or external link, or a source of a virtual dataset; `why` says what is missing."""

    kind: Literal["soft", "external", "virtual"]
    path: str
    target_file: str | None
    target_path: str
    why: str | None = None

    @property
    def exists(self) -> bool:
        """Whether the target is there."""
        return self.why is None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object really is, after all links: file on disk and path in it."""

    file: str
    path: str


def links(file: h5py.File, *, roots: Sequence[Path] | None = None) -> Iterator[Link]:
    """Yield every soft link, external link and virtual source of a file, present or not.

    Groups are walked once each, whatever links lead back to them. Files outside `roots` are not
    opened and count as missing.
    """
    name = str(file.filename)
    yield from _walk(file, "", name, roots, set())


def missing_sources(
    path: str | os.PathLike[str], *, roots: Sequence[Path] | None = None
) -> list[tuple[str, str | None, str, str]]:
    """Return (path in the file, target file, target path, why) of every target that is missing."""
    with open_file(path) as file:
        found = [link for link in links(file, roots=roots) if link.why is not None]
    return [(link.path, link.target_file, link.target_path, link.why or "") for link in found]


def _walk(
    group: Any, prefix: str, name: str, roots: Sequence[Path] | None, seen: set[Any]
) -> Iterator[Link]:
    mark = identity(group)
    if mark in seen:
        return
    seen.add(mark)
    for key in group:
        path = f"{prefix}/{key}"
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.SoftLink):
            why = _why_missing(name, path, roots)
            yield Link("soft", path, None, str(link.path), why)
        elif isinstance(link, h5py.ExternalLink):
            why = _why_missing(name, path, roots)
            yield Link("external", path, str(link.filename), str(link.path), why)
        else:
            with suppress(KeyError, OSError, RuntimeError):
                yield from _walk_object(group[key], path, name, roots, seen)


def _walk_object(
    item: Any, path: str, name: str, roots: Sequence[Path] | None, seen: set[Any]
) -> Iterator[Link]:
    if isinstance(item, h5py.Group):
        yield from _walk(item, path, name, roots, seen)
    elif isinstance(item, h5py.Dataset) and item.is_virtual and identity(item) not in seen:
        seen.add(identity(item))
        yield from virtual_links(item, path, name, roots)


def virtual_links(
    dataset: Any, path: str, name: str, roots: Sequence[Path] | None = None, depth: int = 0
) -> Iterator[Link]:
    """Yield the sources of a virtual dataset, each file and path once."""
    needed: dict[tuple[str, str], list[int]] = {}
    for source in dataset.virtual_sources():
        key = (str(source.file_name), str(source.dset_name))
        extent = _extent(source.src_space)
        old = needed.setdefault(key, extent)
        needed[key] = [max(pair) for pair in zip(old, extent, strict=False)]
    opened: dict[str, Any] = {}
    try:
        for (target, inner), extent in needed.items():
            why = _why_source_missing(dataset, name, target, inner, extent, roots, depth, opened)
            yield Link("virtual", path, None if target == "." else target, inner, why)
    finally:
        for file in opened.values():
            file.close()


def _extent(space: Any) -> list[int]:
    """Return how long each axis of a source must be for its selection."""
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return [0] * space.get_simple_extent_ndims()
    return [int(last) + 1 for last in space.get_select_bounds()[1]]


def _why_source_missing(
    dataset: Any,
    name: str,
    target: str,
    inner: str,
    extent: list[int],
    roots: Sequence[Path] | None,
    depth: int,
    opened: dict[str, Any],
) -> str | None:
    """Return why a virtual source cannot be read, or None."""
    if target == ".":
        return _why_dataset_unfit(dataset.file, inner, extent, name, roots, depth)
    found = first_existing(name, _block_zero(target))
    if found is None:
        return f"the file {target} does not exist"
    if not _allowed(found, roots):
        return f"the file {found} is outside the allowed folders"
    if found not in opened:
        if len(opened) >= _MOST_HOPS:
            opened.pop(next(iter(opened))).close()
        try:
            opened[found] = open_file(found)
        except LightwellError as error:
            return str(error)
    return _why_dataset_unfit(opened[found], _block_zero(inner), extent, found, roots, depth)


def _why_dataset_unfit(
    file: Any, inner: str, extent: list[int], name: str, roots: Sequence[Path] | None, depth: int
) -> str | None:
    """Return why a dataset cannot serve as a source, or None."""
    try:
        item = file[inner]
    except (KeyError, OSError, RuntimeError):
        return f"{name} has no {inner}"
    if not isinstance(item, h5py.Dataset):
        return f"{inner} in {name} is not a dataset"
    if any(have < need for have, need in zip(item.shape, extent, strict=False)):
        return f"{inner} in {name} has shape {item.shape}, {tuple(extent)} is needed"
    if item.is_virtual and depth < _MOST_HOPS:
        for link in virtual_links(item, inner, str(item.file.filename), roots, depth + 1):
            if link.why:
                return link.why
    return None


def _why_missing(name: str, path: str, roots: Sequence[Path] | None) -> str | None:
    """Return why a linked object cannot be reached, or has missing sources itself, or None."""
    try:
        place = locate(name, path, roots=roots)
        with open_file(place.file) as file:
            item = file[place.path]
            if isinstance(item, h5py.Dataset) and item.is_virtual and place.file != name:
                whys = (link.why for link in virtual_links(item, path, place.file, roots))
                return next((why for why in whys if why), None)
    except MissingSource as error:
        return error.what
    except (LightwellError, KeyError, OSError, RuntimeError) as error:
        return str(error)
    return None


def locate(
    file: str | os.PathLike[str], path: str, *, roots: Sequence[Path] | None = None
) -> Place:
    """Return where the object at `path` really is, following soft and external links by hand.

    Raises MissingSource naming the file or the object that is missing, or a file outside `roots`.
    """
    return _locate(os.fspath(file), _split(path), os.fspath(file), path, roots, 0)


def _locate(
    name: str, parts: list[str], first: str, asked: str, roots: Sequence[Path] | None, hops: int
) -> Place:
    if hops > _MOST_HOPS:
        raise MissingSource("links lead in a circle", where=f"{first}:{asked}")
    with open_file(name) as file:
        group: Any = file
        for index, part in enumerate(parts):
            link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
            if link is None:
                here = "/" + "/".join(parts[: index + 1])
                raise MissingSource(f"{name} has no {here}", where=f"{first}:{asked}")
            rest = parts[index + 1 :]
            if isinstance(link, h5py.SoftLink):
                base = [] if link.path.startswith("/") else parts[:index]
                target, onward = name, [*base, *_split(link.path), *rest]
            elif isinstance(link, h5py.ExternalLink):
                target = _external_file(name, str(link.filename), first, asked, roots)
                onward = [*_split(link.path), *rest]
            else:
                group = _opened(group, part, name, first, asked)
                continue
            break
        else:
            return Place(name, "/" + "/".join(parts))
    return _locate(target, onward, first, asked, roots, hops + 1)


def _opened(group: Any, part: str, name: str, first: str, asked: str) -> Any:
    """Return a hard-linked child; a damaged one is a missing source."""
    try:
        return group[part]
    except (KeyError, OSError, RuntimeError):
        raise MissingSource(f"{part!r} in {name} is damaged", where=f"{first}:{asked}") from None


def _external_file(
    name: str, target: str, first: str, asked: str, roots: Sequence[Path] | None
) -> str:
    """Return the file an external link names; MissingSource if there is none to be opened."""
    found = first_existing(name, target)
    if found is None:
        raise MissingSource(
            f"the linked file {target} does not exist",
            where=f"{first}:{asked}",
            remedy="Put it beside the file that links to it, or stage it",
        )
    if not _allowed(found, roots):
        raise MissingSource(
            f"the linked file {found} is outside the allowed folders", where=f"{first}:{asked}"
        )
    return found


def first_existing(name: str, target: str) -> str | None:
    """Return the file that `target` means in the file `name`, or None where there is none."""
    folder = Path(name).absolute().parent
    tried = [os.path.normpath(folder / target)]
    if Path(target).is_absolute():
        # Only an absolute name is looked for by its last part too, as HDF5 does.
        tried.append(str(folder / Path(target).name))
    return next((path for path in tried if Path(path).is_file()), None)


def _allowed(path: str, roots: Sequence[Path] | None) -> bool:
    """Return whether a file lies in one of the allowed folders, symbolic links resolved."""
    if roots is None:
        return True
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(root)) for root in roots)


def _block_zero(text: str) -> str:
    """Return the first name of a numbered series ("%b"), as virtual datasets may have."""
    return text.replace("%b", "0").replace("%%", "%")


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part and part != "."]
