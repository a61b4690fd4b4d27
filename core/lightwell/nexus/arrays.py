"""Arrays of the model in a NeXus file: external links, virtual datasets, or a few numbers."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from lightwell.errors import LightwellError
from lightwell.hdf5 import Hdf5Array, Source, external_link, soft_link, write_virtual
from lightwell.model import ArrayRef, ConstantPart, EvenPart, FilePart
from lightwell.model.arrays import SeriesPart
from lightwell.units import ascii_unit

__all__ = ["ArrayWriter"]


class ArrayWriter:
    """Writes array references into one NeXus file, each array once.

    `path` is the file's final name, `root` the folder that file names of references start from;
    without one (the files are not on a disk) only numbers are written.
    """

    def __init__(self, path: Path, root: Path | None) -> None:
        self.path = Path(os.path.normpath(path.absolute()))
        self.root = None if root is None else Path(os.path.normpath(root.absolute()))
        self._written: dict[ArrayRef, str] = {}
        # Place in the file → where the object itself stands, for objects of this file only.
        self._own: dict[str, str] = {}

    def write(self, group: Any, name: str, ref: ArrayRef) -> bool:
        """Write the array, or a link to it, and return whether HDF5 can hold it at all."""
        place = f"{group.name.rstrip('/')}/{name}"
        if name in group:
            self._own[place] = place
            self._written.setdefault(ref, place)
            return True
        known = self._written.get(ref)
        if known is not None:
            group[name] = soft_link(known)
            if known in self._own:
                self._own[place] = self._own[known]
            self.set_attribute(group, name, "target", known)
            return True
        if not self._create(group, name, ref):
            return False
        self._written[ref] = place
        return True

    def set_attribute(self, group: Any, name: str, key: str, value: str) -> None:
        """Set an attribute, but never on an object of another file."""
        place = self._own.get(f"{group.name.rstrip('/')}/{name}")
        if place is not None:
            group.file[place].attrs[key] = value

    def _create(self, group: Any, name: str, ref: ArrayRef) -> bool:
        files = [part for part in ref.parts if isinstance(part, (FilePart, SeriesPart))]
        if not all(self._linkable(part) for part in files):
            return False
        only = files[0] if len(files) == len(ref.parts) == 1 else None
        if isinstance(only, FilePart) and self._is_whole(only, ref):
            self._link(group, name, only)
            return True
        if len(files) < len(ref.parts):
            # A few numbers may be copied, and HDF5 has no other way to join them to given ones.
            if ref.ndim > 1 or not self._write_numbers(group, name, ref):
                return False
        elif ref.ndim == 0:
            return False
        else:
            self._write_virtual(group, name, ref, files)
        place = f"{group.name.rstrip('/')}/{name}"
        self._own[place] = place
        if ref.unit is not None:
            group[name].attrs["units"] = ascii_unit(ref.unit.replace("\x00", ""))
        return True

    def _write_numbers(self, group: Any, name: str, ref: ArrayRef) -> bool:
        """Write values of which some or all are in no file: angles given by a person, constants."""
        values: list[Any] = []
        for part, length in zip(ref.parts, ref.lengths(), strict=True):
            if isinstance(part, (EvenPart, ConstantPart)):
                values.extend(part.values)
            elif isinstance(part, FilePart):
                try:
                    found = Hdf5Array.find(self._file(part), part.path)
                    values.extend(found.read((slice(part.start, part.start + length),)))
                except LightwellError:
                    return False
            else:
                return False
        group.create_dataset(name, data=np.asarray(values, dtype=ref.dtype).reshape(ref.shape))
        return True

    def _is_whole(self, part: FilePart, ref: ArrayRef) -> bool:
        """Return whether a part is all of its dataset, so that a plain link will do."""
        length = ref.shape[0] if ref.shape else None
        if part.start or part.new_axis or part.count not in (None, length):
            return False
        try:
            return Hdf5Array.find(self._file(part), part.path).shape == ref.shape
        except LightwellError:
            # The file may be on tape now; it was described as this whole array.
            return True

    def _file(self, part: FilePart | SeriesPart) -> Path:
        return Path(os.path.normpath((self.root or self.path.parent) / (part.file or "")))

    def _linkable(self, part: FilePart | SeriesPart) -> bool:
        named = part.file is not None and bool(part.path.strip("/"))
        return self.root is not None and part.container == "hdf5" and named

    def _link(self, group: Any, name: str, part: FilePart) -> None:
        path = part.path if part.path.startswith("/") else f"/{part.path}"
        if self._file(part) == self.path:
            group[name] = soft_link(path)
        else:
            group[name] = external_link(self._relative(part), path)

    def _relative(self, part: FilePart | SeriesPart) -> str:
        """Return a file's name from the folder of this one, so that both can be moved together."""
        file = self._file(part)
        if file == self.path:
            return "."
        try:
            return Path(os.path.relpath(file, self.path.parent)).as_posix()
        except ValueError:
            # Another drive: there is no relative name.
            return file.as_posix()

    def _write_virtual(
        self, group: Any, name: str, ref: ArrayRef, parts: list[FilePart | SeriesPart]
    ) -> None:
        sources: list[Source] = []
        for part, length in zip(parts, ref.lengths(), strict=True):
            file = self._relative(part)
            if isinstance(part, SeriesPart):
                sources += [Source(file, path, 0, 1, part.new_axis) for path in part.paths]
            else:
                stop = part.start + length
                sources.append(Source(file, part.path, part.start, stop, part.new_axis))
        write_virtual(group, name, ref.shape, ref.dtype, sources)
