"""The frame index of an installation: records of datasets, gathered into few large tables.

`new/PID.h5` and `kept/PID.h5` hold the records of one dataset each, `tables/*.h5` those of many
once more, for reading. What is in `new` is in no table yet, or newer than there. A table is written
under its final name only when it is whole, and only then do the records it holds move on to `kept`:
killed anywhere, the index answers the same.
"""

import fcntl
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from lightwell.catalog.query import Query
from lightwell.errors import Conflict, LightwellError
from lightwell.failpoints import failpoint
from lightwell.frame_index.predicates import compile_query
from lightwell.frame_index.selecting import Hits, select
from lightwell.frame_index.tables import Records, Schema, Table, write_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LOOSE", "Alive", "FrameIndex"]

LOOSE: Final = 64
"""So many new datasets are gathered into tables; opening each takes a millisecond or two."""

_LARGEST: Final = 1 << 24
_SMALLEST_LEVEL: Final = 1 << 16
_ALIKE: Final = 4
_ATTEMPTS: Final = 20
_PATIENCE_SECONDS: Final = 60.0

Stamp: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Alive:
    """A table, and which of its datasets it has the newest records of: alive (dataset) bool."""

    table: Table
    alive: "NDArray[np.bool_]"


class FrameIndex:
    """The index in a folder; threads and processes may share the folder."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        self.folder = folder
        self.problems: dict[str, str] = {}
        """Files that could not be read when last looked at -> why; answers are without them."""
        self._threads = threads or min(8, os.cpu_count() or 1)
        self._known: dict[str, tuple[Stamp, Table]] = {}
        self._alive: tuple[Alive, ...] = ()
        self._seen: dict[str, Stamp] | None = None

    def add(self, pid: str, channels: "Mapping[tuple[str, str], NDArray[Any]]") -> Records:
        """Remember (name, unit) -> values of every frame of a dataset, in place of what was known.

        Raises `ParameterError` for channels of different length.
        """
        records = Records.of(pid, time.time_ns(), channels)
        with self._locked("new"):
            write_table(self._path("new", pid), [records])
            failpoint("frames-added")
        return records

    def get(self, pid: str) -> Records | None:
        """Return what is known of the frames of a dataset; raises `UnreadableFile`."""
        for folder in ("new", "kept"):
            path = self._path(folder, pid)
            if path.exists():
                return Table.open(path).records(0)
        return None

    def has(self, pid: str) -> bool:
        """Tell whether there are records of a dataset."""
        return any(self._path(folder, pid).exists() for folder in ("new", "kept"))

    def discard(self, pid: str) -> None:
        """Take back what was just added of a dataset that is not remembered after all."""
        with self._locked("new"):
            for folder in ("new", "tiles"):
                self._path(folder, pid).unlink(missing_ok=True)

    def pids(self) -> set[str]:
        """Return the datasets there are records of."""
        return {
            path.stem for folder in ("new", "kept") for path in (self.folder / folder).glob("*.h5")
        }

    def tables(self) -> tuple[Alive, ...]:
        """Return everything there is to look into; files that cannot be read go to `problems`."""
        for _ in range(_ATTEMPTS):
            now, whole = self._files()
            if now == self._seen and whole:
                break
            self.problems.clear()
            self._seen = None
            opened = [self._opened(name, stamp) for name, stamp in now.items()]
            self._known = {name: self._known[name] for name in now if name in self._known}
            self._alive = _alive([table for table in opened if table is not None])
            if whole and all((self.folder / name).exists() for name in self.problems):
                self._seen = now
                break
            # Gathered or joined while we looked: what holds it now was not listed yet.
        return self._alive

    def select(self, query: Query, pids: "Iterable[str] | None" = None) -> list[Hits]:
        """Return the frames a query is true of; pids : the datasets looked at, all if not given.

        Raises `ParameterError`, `UnitError` for a query that is no question about numbers.
        """
        wanted = None if pids is None else set(pids)
        found = []
        with ThreadPoolExecutor(self._threads) as pool:
            for each in self.tables():
                allowed = each.alive
                if wanted is not None:
                    allowed = allowed & np.array([pid in wanted for pid in each.table.pids], bool)
                if not allowed.any():
                    continue
                columns = {schema.name: c for schema, c in each.table.columns.items()}
                predicate = compile_query(query, columns)
                found.append(select(each.table, predicate, allowed, pool))
        return found

    def channels(self, pids: "Iterable[str] | None" = None) -> dict[str, set[str]]:
        """Return the names of channels and the units each is kept in; pids : as in `select`."""
        wanted = None if pids is None else set(pids)
        found: dict[str, set[str]] = defaultdict(set)
        for each in self.tables():
            alive = np.flatnonzero(each.alive)
            if wanted is None or any(each.table.pids[place] in wanted for place in alive):
                for schema in each.table.columns:
                    found[schema.name].add(schema.unit)
        return dict(found)

    def gather(self, *, at_least: int = LOOSE) -> int:
        """Put new records into tables, if there are so many, and join small tables; how many."""
        if len(list((self.folder / "new").glob("*.h5"))) < max(at_least, 1):
            return 0
        with self._locked("new"):
            moved = self._gather_new()
        with self._locked("tables", wait=False) as mine:
            if mine:
                self._join_small()
        return moved

    def rebuild(self) -> int:
        """Make all tables anew from the records of single datasets; how many datasets they hold."""
        with self._locked("tables"), self._locked("new"):
            for path in (self.folder / "tables").glob("*.part"):
                # Whoever wrote it has died: nobody else holds the locks.
                path.unlink(missing_ok=True)
            for path in sorted((self.folder / "kept").glob("*.h5")):
                loose = self._path("new", path.stem)
                if loose.exists():
                    path.unlink()
                else:
                    path.replace(loose)
            failpoint("frames-loose")
            for path in (self.folder / "tables").glob("*.h5"):
                path.unlink()
            failpoint("frames-tables-removed")
            moved = self._gather_new()
            self._join_small()
        return moved

    def _path(self, folder: str, pid: str) -> Path:
        return self.folder / folder / f"{pid}.h5"

    def _files(self) -> tuple[dict[str, Stamp], bool]:
        """Return the files to look into, tables first, with what changes when one is replaced.

        Also whether all of them were still there to be looked at.
        """
        # New ones are listed first: what is gathered in between is then seen twice, not never.
        found: dict[str, dict[str, Stamp]] = {"new": {}, "tables": {}}
        whole = True
        for folder, files in found.items():
            for path in sorted((self.folder / folder).glob("*.h5")):
                try:
                    status = path.stat()
                except FileNotFoundError:
                    whole = False
                    continue
                stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
                files[f"{folder}/{path.name}"] = stamp
        return found["tables"] | found["new"], whole

    def _opened(self, name: str, stamp: Stamp) -> Table | None:
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            table = Table.open(self.folder / name)
        except LightwellError as error:
            self.problems[name] = error.what
            return None
        self._known[name] = (stamp, table)
        return table

    def _gather_new(self) -> int:
        by_schema: dict[tuple[Schema, ...], list[Table]] = defaultdict(list)
        for path in sorted((self.folder / "new").glob("*.h5")):
            try:
                table = Table.open(path)
            except LightwellError:
                continue  # fsck tells of it; its neighbours need not wait
            by_schema[table.schema].append(table)
        moved = 0
        for group in by_schema.values():
            group.sort(key=lambda table: int(table.stamps[0]))
            write_table(self._fresh_table(), [(table, 0) for table in group])
            failpoint("frames-gathered")
            (self.folder / "kept").mkdir(exist_ok=True)
            for table in group:
                table.path.replace(self.folder / "kept" / table.path.name)
                moved += 1
            failpoint("frames-kept")
        return moved

    def _join_small(self) -> None:
        """Join tables of one schema and about one size, so that their number stays small."""
        while group := _alike(self.tables()):
            parts = [
                (each.table, int(place)) for each in group for place in np.flatnonzero(each.alive)
            ]
            parts.sort(key=lambda part: int(part[0].stamps[part[1]]))
            names = [each.table.path.name for each in group]
            if parts:
                write_table(self._fresh_table(), parts, replaces=names)
                failpoint("frames-joined")
            for name in names:
                (self.folder / "tables" / name).unlink(missing_ok=True)
            failpoint("frames-replaced-removed")

    def _fresh_table(self) -> Path:
        return self.folder / "tables" / f"{time.time_ns():020d}-{os.getpid()}.h5"

    @contextmanager
    def _locked(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold a lock of the folder, which ends with the process; False if others hold it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            deadline = time.monotonic() + (_PATIENCE_SECONDS if wait else 0.0)
            while not (mine := _taken(descriptor)) and time.monotonic() < deadline:
                time.sleep(0.02)
            if wait and not mine:
                raise Conflict(
                    "another process keeps the frame index locked",
                    where=str(self.folder),
                    remedy="Wait until it has finished",
                )
            yield mine
        finally:
            os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(tables: Sequence[Table]) -> tuple[Alive, ...]:
    """Return tables with the datasets they have the newest records of; later tables win a tie."""
    replaced = {name for table in tables for name in table.replaces}
    standing = [t for t in tables if t.path.parent.name != "tables" or t.path.name not in replaced]
    newest: dict[str, tuple[int, int]] = {}
    for number, table in enumerate(standing):
        for pid, stamp in zip(table.pids, table.stamps.tolist(), strict=True):
            if pid not in newest or newest[pid][0] <= stamp:
                newest[pid] = (stamp, number)
    found = []
    for number, table in enumerate(standing):
        alive = np.array([newest[pid][1] == number for pid in table.pids], bool)
        found.append(Alive(table, alive))
    return tuple(found)


def _alike(tables: Sequence[Alive]) -> list[Alive]:
    """Return tables that should be one: four or more of a schema and a size, or dead ones."""
    levels: dict[Any, list[Alive]] = defaultdict(list)
    for each in tables:
        if each.table.path.parent.name != "tables":
            continue
        if not each.alive.any():
            return [each]
        if len(each.table) < _LARGEST:
            size = max(len(each.table), _SMALLEST_LEVEL) // _SMALLEST_LEVEL
            levels[each.table.schema, (size.bit_length() - 1) // 2].append(each)
    return next((group for group in levels.values() if len(group) >= _ALIKE), [])
