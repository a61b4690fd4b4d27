"""The list of files a dataset consists of, with what proves their content."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from lightwell.errors import MissingSource, NotFound, UnknownName, UnreadableFile
from lightwell.files import File

if TYPE_CHECKING:
    from io import BufferedIOBase

__all__ = [
    "Difference",
    "Manifest",
    "ManifestFile",
    "build_manifest",
    "file_digest",
    "refuse_touched",
    "verify",
]

_BUFFER_BYTES: Final = 1 << 20
_HASHING_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of a dataset: its posix name below the manifest's root, and its content.

    `role` says what it is for ("master", "external", "projection", "flat", "dark", …);
    `sha256` is absent where the content has not been read yet.
    """

    name: str
    role: str
    size: int
    mtime_ns: int = 0
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What one file of a manifest is now, other than it was recorded."""

    name: str
    what: Literal["missing", "size", "digest"]
    recorded: str
    found: str

    def __str__(self) -> str:
        if self.what == "missing":
            return f"{self.name} is missing"
        return f"{self.name}: {self.what} was {self.recorded}, is {self.found}"


@dataclass(frozen=True)
class Manifest:
    """The files of one dataset below a root (a url), in the order of their frames."""

    root: str
    files: tuple[ManifestFile, ...]

    def digest(self) -> str:
        """Return the sha-256 over names, sizes and digests: the content, not place or time.

        >>> one = ManifestFile("a.h5", "master", 3, 17, "aa")
        >>> Manifest("file:///x", (one,)).digest() == Manifest("file:///y", (one,)).digest()
        True
        """
        total = hashlib.sha256(b"lightwell manifest 1\n")
        for file in sorted(self.files, key=lambda file: file.name):
            # A name may hold any character but NUL, so NUL keeps the fields apart.
            total.update(f"{file.name}\0{file.size}\0{file.sha256 or ''}\n".encode())
        return total.hexdigest()

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(file.size for file in self.files)

    @cached_property
    def _by_name(self) -> Mapping[str, ManifestFile]:
        return {file.name: file for file in self.files}

    @cached_property
    def _root(self) -> File:
        return File(self.root)

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "files": self.files}

    def by_role(self, role: str) -> tuple[ManifestFile, ...]:
        """Return the files of a role in manifest order; empty if there are none."""
        return tuple(file for file in self.files if file.role == role)

    def named(self, name: str) -> ManifestFile:
        """Return the file of a name; raises `UnknownName`."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"the manifest has no file {name!r}", where=self.root) from None

    def file(self, name: str) -> File:
        """Return where a file of the manifest lies; raises `UnknownName`."""
        return self._root.child(self.named(name).name)

    def present_file(self, name: str) -> File:
        """Return where a file lies; raises `MissingSource` naming it if it is not there."""
        file = self.file(name)
        if not file.exists:
            raise MissingSource(
                f"{name} is listed in the manifest, but is not there",
                where=str(file),
                remedy="Stage or restore the file, or correct the root of the dataset",
            )
        return file

    def path_of(self, name: str) -> str:
        """Return the path (local) or url (elsewhere) of a file; raises `UnknownName`."""
        return str(self.file(name))


def file_digest(file: File) -> str:
    """Return the sha-256 of a file's content in hexadecimal; raises `NotFound`, `UnreadableFile`.

    One buffer is reused, so that memory does not grow with the file.
    """
    total = hashlib.sha256()
    buffer = bytearray(_BUFFER_BYTES)
    view = memoryview(buffer)
    with file.open() as stream:
        raw = cast("BufferedIOBase", stream)  # IO promises no readinto, every binary stream has it
        while count := raw.readinto(buffer):
            total.update(view[:count])
    return total.hexdigest()


def refuse_touched(file: File, before: tuple[int, int]) -> None:
    """Refuse a file whose size or time of change is not what `File.stat` said before.

    Errors: UnreadableFile.
    """
    if file.stat() != before:
        raise UnreadableFile(
            f"{file.name} changed while it was read",
            where=str(file),
            remedy="Wait until the instrument has finished writing, then ingest again",
        )


def build_manifest(
    root: File, members: Sequence[tuple[str, str]], *, digests: bool = True
) -> Manifest:
    """Return the manifest of `(name, role)` members below `root`, each read once.

    Raises `NotFound` for a file that is missing and `UnreadableFile` for one that changed
    while it was read.
    """
    _refuse_repeats(name for name, _ in members)

    def describe(member: tuple[str, str]) -> ManifestFile:
        name, role = member
        file = root.child(name)
        before = file.stat()
        digest = file_digest(file) if digests else None
        if digests:
            refuse_touched(file, before)
        return ManifestFile(name, role, before[0], before[1], digest)

    # hashlib gives the lock away for large buffers; two threads keep one core busy while the
    # other waits for the disk, more gain nothing.
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        return Manifest(root.url, tuple(pool.map(describe, members)))


def verify(
    manifest: Manifest, *, content: bool = True, touched_only: bool = False
) -> list[Difference]:
    """Return how the files differ from what was recorded; empty if they do not.

    With `content=False` only presence and size are looked at; with `touched_only` the content of
    those files alone whose time of change is another. Raises `UnreadableFile`.
    """

    def compare(recorded: ManifestFile) -> Difference | None:
        file = manifest.file(recorded.name)
        try:
            size, mtime_ns = file.stat()
            if size != recorded.size:
                return Difference(recorded.name, "size", str(recorded.size), str(size))
            wanted = content and not (touched_only and mtime_ns == recorded.mtime_ns)
            if wanted and recorded.sha256 is not None:
                found = file_digest(file)
                if found != recorded.sha256:
                    return Difference(recorded.name, "digest", recorded.sha256, found)
        except NotFound:
            return Difference(recorded.name, "missing", str(recorded.size), "nothing")
        return None

    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        found = pool.map(compare, manifest.files)
        return [difference for difference in found if difference is not None]


def _refuse_repeats(names: Iterable[str]) -> None:
    """Raise `UnknownName` if one name stands twice or leads out of the root."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UnknownName(f"the file {name!r} is listed twice in one manifest")
        if not name or name.startswith("/") or ".." in name.split("/") or "\0" in name:
            raise UnknownName(
                f"{name!r} is not a name below the root of the manifest",
                remedy="Give a root that holds all files of the dataset",
            )
        seen.add(name)
