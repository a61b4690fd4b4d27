"""One file or folder, wherever a filesystem of fsspec reaches it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from lightwell.disks import needing_room
from lightwell.errors import InputError, NotFound, UnreadableFile
from lightwell.failpoints import failpoint

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

__all__ = ["File", "complete_file", "natural_key"]

_DIGITS: Final = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sorting key that puts `frame_9` before `frame_10`.

    >>> sorted(["f10.tif", "f9.tif", "f1.tif"], key=natural_key)
    ['f1.tif', 'f9.tif', 'f10.tif']
    """
    parts = _DIGITS.split(name)
    key = [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]
    # The name itself decides between "f1" and "F01" only after everything else is equal.
    return (*key, (2, 0, name))


class File:
    """One file or folder; whatever opens a file goes through this class.

    It is picklable, two of the same place are equal, and making one touches nothing.

    >>> File("/data/scan.h5").name, File("/data/scan.h5").suffix
    ('scan.h5', '.h5')
    """

    __slots__ = ("fs", "path")

    fs: "AbstractFileSystem"
    path: str

    def __init__(
        self, place: "str | os.PathLike[str] | tuple[AbstractFileSystem, str] | File"
    ) -> None:
        if isinstance(place, File):
            self.fs, self.path = place.fs, place.path
        elif isinstance(place, tuple):
            self.fs, path = place
            self.path = str(self.fs._strip_protocol(path))  # noqa: SLF001 - fsspec has no public name
        else:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped,unused-ignore]

            self.fs, self.path = url_to_fs(os.fspath(place))

    def __repr__(self) -> str:
        return f"File({self.url!r})"

    def __str__(self) -> str:
        return self.path if self.is_local else self.url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __reduce__(self) -> tuple[Any, ...]:
        return File, ((self.fs, self.path),)

    @property
    def is_local(self) -> bool:
        """Whether the operating system can open this place by a path."""
        protocol = self.fs.protocol
        return "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    @property
    def url(self) -> str:
        """The place as one text, with its protocol, e.g. `file:///data/scan.h5`."""
        return str(self.fs.unstrip_protocol(self.path))

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of the name with its dot, in lower case; empty if there is none."""
        return Path(self.name).suffix.lower()

    @property
    def exists(self) -> bool:
        """Whether there is a file or folder here now."""
        return bool(self.fs.exists(self.path))

    @property
    def is_dir(self) -> bool:
        """Whether this is a folder that exists."""
        return bool(self.fs.isdir(self.path))

    @property
    def size(self) -> int:
        """The size in bytes; raises `NotFound` if there is nothing here."""
        return self.stat()[0]

    @property
    def mtime_ns(self) -> int:
        """The time of the last change in ns since 1970, 0 where the filesystem has none."""
        return self.stat()[1]

    def stat(self) -> tuple[int, int]:
        """Return size in bytes and time of the last change in ns, looked up together.

        Raises `NotFound` if there is nothing here and `UnreadableFile` if it may not be seen.
        """
        with self._explained():
            if self.is_local:
                found = Path(self.path).stat()
                return found.st_size, found.st_mtime_ns
            self.fs.invalidate_cache(self.parent.path)
            size = int(self.fs.info(self.path).get("size") or 0)
            try:
                return size, int(self.fs.modified(self.path).timestamp() * 1e9)
            except NotImplementedError:
                return size, 0

    @property
    def parent(self) -> "File":
        """The folder this lies in."""
        return File((self.fs, self.path.rstrip("/").rpartition("/")[0] or "/"))

    def child(self, name: str) -> "File":
        """Return the file `name` (posix, relative) below this folder."""
        return File((self.fs, f"{self.path.rstrip('/')}/{name}"))

    def children(self) -> tuple["File", ...]:
        """Return what lies directly in this folder, in natural order.

        Raises `NotFound` if it does not exist and `UnreadableFile` if it is not a folder.
        """
        with self._explained():
            if not self.is_dir and self.exists:
                raise UnreadableFile("this is a file, not a folder", where=str(self))
            found = [str(path) for path in self.fs.ls(self.path, detail=False)]
        return tuple(File((self.fs, path)) for path in sorted(found, key=natural_key))

    def siblings(self) -> tuple["File", ...]:
        """Return the other members of the folder this lies in, in natural order."""
        return tuple(other for other in self.parent.children() if other != self)

    def relative_to(self, folder: "File") -> str:
        """Return the posix name of this file below `folder`; raises `InputError` if outside."""
        base = folder.path.rstrip("/")
        if self.path.startswith(base + "/"):
            return self.path[len(base) + 1 :]
        raise InputError(f"{self} does not lie in {folder}", remedy="Give a path inside it")

    def read_bytes(self, start: int = 0, stop: int | None = None) -> bytes:
        """Return the bytes from `start` up to `stop` (the end if not given), fewer at the end.

        Raises `NotFound` or `UnreadableFile`.
        """
        with self.open() as stream:
            stream.seek(start)
            return bytes(stream.read(-1 if stop is None else max(0, stop - start)))

    def open(self) -> IO[bytes]:
        """Open for reading bytes; raises `NotFound` or `UnreadableFile` with the reason."""
        with self._explained():
            if self.is_local:
                return Path(self.path).open("rb")
            return cast("IO[bytes]", self.fs.open(self.path, "rb"))

    def local_path(self) -> Path:
        """Return the path for a library that opens files itself.

        Raises `UnreadableFile` if the file lies on a filesystem without such paths.
        """
        if not self.is_local:
            raise UnreadableFile(
                f"{self.name} does not lie on a disk of this machine",
                where=self.url,
                remedy="Stage it to a local store first",
            )
        return Path(self.path)

    def require_content(self) -> "File":
        """Return this file if it can be read and is not empty.

        Raises `NotFound` or `UnreadableFile` with what to do.
        """
        with self.open() as stream:
            if not stream.read(1):
                raise UnreadableFile(
                    f"{self.name} is empty (0 bytes)",
                    where=str(self),
                    remedy="If it is still being copied, wait for the copy to end",
                )
        return self

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the operating system says into a sentence with a remedy."""
        try:
            yield
        except FileNotFoundError as error:
            raise NotFound(
                f"{self.name or self.path} does not exist",
                where=str(self),
                remedy="Check the path; a folder that is not mounted looks the same",
            ) from error
        except PermissionError as error:
            raise UnreadableFile(
                f"{self.name} may not be read by this user",
                where=str(self),
                remedy="Ask its owner for permission to read",
            ) from error
        except IsADirectoryError as error:
            raise UnreadableFile(
                f"{self.name} is a folder, not a file",
                where=str(self),
                remedy="Give one of the files in it",
            ) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise UnreadableFile(
                f"{self.name} cannot be read ({reason})", where=str(self)
            ) from error


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; `path` appears, whole and on disk, only if the block succeeds."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with needing_room(path.parent):
            yield part
        failpoint("file-written")
        with needing_room(path.parent), part.open("rb+") as written:
            os.fsync(written.fileno())
        failpoint("file-synchronised")
        part.replace(path)
        failpoint("file-renamed")
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name is as durable as the bytes only after this
        finally:
            os.close(folder)
        failpoint("file-name-synchronised")
    finally:
        part.unlink(missing_ok=True)
