"""NumPy's archives, also within bzip2: arrays read piece by piece, without pickles."""

import bz2
import math
import shutil
import tempfile
import tokenize
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from lightwell.errors import UnreadableFile
from lightwell.files import File

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NpzArray", "NpzMember", "is_npz", "npz_members"]

_ZIP: Final = b"PK\3\4"
_BZIP2: Final = b"BZh"
_NAME_AT: Final = 30
_SUFFIX: Final = ".npy"
_DAMAGE: Final = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError)


class NpzMember(NamedTuple):
    """One array of an archive: its shape and type; columns_first : as Fortran stores them."""

    shape: tuple[int, ...]
    dtype: str
    columns_first: bool


def is_npz(file: File) -> bool:
    """Whether a file begins as an archive of arrays does, compressed by bzip2 or not."""
    if file.is_dir or not file.is_local:
        return False
    head = file.read_bytes(0, 1 << 16)
    if head.startswith(_BZIP2):
        # The first block of bzip2 may need more than there is of it here: then it is none of ours.
        try:
            with bz2.open(file.local_path()) as stream:
                head = stream.read(256)
        except (OSError, EOFError):
            return False
    length = int.from_bytes(head[26:28], "little")
    return head.startswith(_ZIP) and head[_NAME_AT : _NAME_AT + length].endswith(b".npy")


def npz_members(file: File) -> dict[str, NpzMember]:
    """Every array of an archive, by name.

    Errors: UnreadableFile for one that is damaged.
    """
    try:
        with _archive(file) as archive:
            names = [n for n in archive.namelist() if n.endswith(_SUFFIX)]
            return {name.removesuffix(_SUFFIX): _member(archive, name) for name in names}
    except _DAMAGE as error:
        raise _damaged(file, error) from error


class NpzArray:
    """One array of an archive; ``name/0`` is the first of its members along the first axis.

    One that is stored columns first is read whole, whatever part of it is wanted.
    Errors: UnreadableFile for a name that is not there, and for arrays of Python objects.
    """

    def __init__(self, file: File, path: str) -> None:
        self.file = file
        self.name, *inside = path.split("/")
        found = npz_members(file).get(self.name)
        if found is None or len(inside) > len(found.shape):
            raise UnreadableFile(
                f"{file.name} has no array {path}",
                where=str(file),
                remedy="The file changed since it was ingested; ingest it again",
            )
        import numpy as np

        self._before = tuple(int(one) for one in inside)
        self._whole = found.shape
        self.shape = found.shape[len(inside) :]
        self.dtype: np.dtype[Any] = np.dtype(found.dtype).newbyteorder("=")
        self._stored = np.dtype(found.dtype)
        self._columns_first = found.columns_first

    @property
    def grain(self) -> tuple[int, ...]:
        """How many points along each axis are read together: all but the first."""
        return (1, *self.shape[1:]) if self.shape else ()

    def read(self, selection: Any = ()) -> "NDArray[Any]":
        """Return the selected values; only the rows between the first and the last are read."""
        import numpy as np

        if not self.shape:
            return np.asarray(self._rows(0, 1).reshape(()), self.dtype)
        full = (*selection, *(slice(None),) * (len(self.shape) - len(selection)))
        rows = np.arange(self.shape[0])[full[0]]
        if not len(rows):
            return np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *full[1:])]
        low, high = int(rows.min()), int(rows.max()) + 1
        found = self._rows(low, high)[rows - low][(slice(None), *full[1:])]
        return np.ascontiguousarray(found, self.dtype)

    def _rows(self, low: int, high: int) -> "NDArray[Any]":
        try:
            with _archive(self.file) as archive, archive.open(self.name + _SUFFIX) as stream:
                _header(stream)
                if self._columns_first:
                    return self._all(stream)[low:high] if self.shape else self._all(stream)
                return self._part(stream, low, high)
        except _DAMAGE as error:
            raise _damaged(self.file, error) from error

    def _part(self, stream: IO[bytes], low: int, high: int) -> "NDArray[Any]":
        import numpy as np

        row = math.prod(self.shape[1:])
        start = 0
        for place, length in zip(self._before, self._whole, strict=False):
            start = start * length + place
        start = start * math.prod(self.shape) + low * row
        stream.seek(start * self._stored.itemsize, 1)
        content = stream.read((high - low) * row * self._stored.itemsize)
        values: NDArray[Any] = np.frombuffer(content, self._stored)
        return values.reshape(high - low, *self.shape[1:])

    def _all(self, stream: IO[bytes]) -> "NDArray[Any]":
        import numpy as np

        values: NDArray[Any] = np.frombuffer(stream.read(), self._stored)
        found: NDArray[Any] = values.reshape(self._whole[::-1]).T[self._before]
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return NpzArray, (self.file, "/".join([self.name, *map(str, self._before)]))


def _archive(file: File) -> zipfile.ZipFile:
    path = file.local_path()
    with path.open("rb") as stream:
        packed = stream.read(len(_BZIP2)) == _BZIP2
    if not packed:
        return zipfile.ZipFile(path)
    size, changed = file.stat()
    return zipfile.ZipFile(_unpacked(str(path), size, changed))


@lru_cache(maxsize=2)
def _unpacked(path: str, size: int, changed: int) -> IO[bytes]:
    """What bzip2 holds, on the disk for as long as this process: it cannot be read from within."""
    target = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the cache holds it)
    with bz2.open(Path(path)) as stream:
        shutil.copyfileobj(stream, target, 1 << 20)
    return target


def _header(stream: IO[bytes]) -> NpzMember:
    """What an array is, of which the values come next."""
    from numpy.lib import format as layout

    version = layout.read_magic(stream)
    read = layout.read_array_header_1_0 if version == (1, 0) else layout.read_array_header_2_0
    try:
        shape, is_fortran, dtype = read(stream)
    except (SyntaxError, tokenize.TokenError) as error:
        # NumPy takes a header that it cannot parse for one that an old Python wrote.
        raise ValueError("the header of an array cannot be parsed") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    return NpzMember(shape, dtype.str, is_fortran and len(shape) > 1)


def _member(archive: zipfile.ZipFile, name: str) -> NpzMember:
    with archive.open(name) as stream:
        return _header(stream)


def _damaged(file: File, error: BaseException) -> UnreadableFile:
    return UnreadableFile(
        f"{file.name} cannot be read as an archive of arrays ({error})",
        where=str(file),
        remedy="The file is damaged, not complete, or holds what is not read; save it again",
    )
