"""Tables: datasets with the same channels, one array per channel, in one file.

A file holds `datasets/pid`, `start` (the first record of each, and the end) and `stamp` (when it
was indexed), and for every channel `channels/NAME/values` in blocks of 256 with the zone map
beside them (`low high missing bins`) and a `histogram` of every dataset. All lie in one piece each,
so that they are mapped into memory and only what is looked at is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from lightwell.errors import UnreadableFile
from lightwell.frame_index.zones import BLOCK, ZoneMap, block_count, histogram, storable
from lightwell.hdf5 import map_array, open_file, writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Column", "Records", "Schema", "Table", "write_table"]

FORMAT: Final = "lightwell frames 1"
_ZONES: Final = ("low", "high", "missing", "bins")


class Schema(NamedTuple):
    """What makes a channel of two datasets the same column: name, unit and type."""

    name: str
    unit: str
    dtype: str


@dataclass(frozen=True)
class Records:
    """The channels of one dataset; values : (frame), NaN where one is missing."""

    pid: str
    stamp: int
    values: Mapping[Schema, "NDArray[Any]"]

    @classmethod
    def of(
        cls, pid: str, stamp: int, channels: Mapping[tuple[str, str], "NDArray[Any]"]
    ) -> "Records":
        """Return the records of a dataset from (name, unit) -> values of any type."""
        kept = {}
        for (name, unit), values in sorted(channels.items()):
            stored = storable(np.asarray(values))
            kept[Schema(name, unit, stored.dtype.str)] = stored
        return cls(pid, stamp, kept)

    @property
    def schema(self) -> tuple[Schema, ...]:
        """The columns, in a fixed order."""
        return tuple(sorted(self.values))

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass(frozen=True, slots=True)
class Column:
    """One channel of a table; blocks : (block, BLOCK) values, the rest of the last ones missing."""

    schema: Schema
    blocks: "NDArray[Any]"
    zones: ZoneMap
    histograms: "NDArray[Any]"


@dataclass(frozen=True)
class Table:
    """A file of records, mapped. start : (dataset + 1) first record of each, and the end."""

    path: Path
    pids: tuple[str, ...]
    start: "NDArray[Any]"
    stamps: "NDArray[Any]"
    replaces: tuple[str, ...]
    columns: Mapping[Schema, Column] = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> "Table":
        """Open a file; raises UnreadableFile for one that is none, or damaged."""
        try:
            with open_file(path) as file:
                if file.attrs.get("format") != FORMAT:
                    raise UnreadableFile("this is no table of frames", where=str(path))
                group = file["datasets"]
                start = group["start"][()]
                columns = {}
                for name in file["channels"]:
                    column = _column(file["channels"][name], name, int(start[-1]), path)
                    columns[column.schema] = column
                return cls(
                    path,
                    tuple(pid.decode() for pid in group["pid"][()]),
                    start,
                    group["stamp"][()],
                    tuple(str(name) for name in file.attrs.get("replaces", ())),
                    columns,
                )
        except (KeyError, OSError, RuntimeError, ValueError, AttributeError) as error:
            raise UnreadableFile(
                f"the table of frames is damaged ({error})", where=str(path)
            ) from (error)

    def __len__(self) -> int:
        return int(self.start[-1])

    @property
    def schema(self) -> tuple[Schema, ...]:
        """The columns, in a fixed order."""
        return tuple(sorted(self.columns))

    @cached_property
    def lengths(self) -> "NDArray[Any]":
        """(dataset) how many frames each has."""
        return np.diff(self.start)

    def records(self, dataset: int) -> Records:
        """Return what the table holds of one of its datasets, by its place in `pids`."""
        cut = slice(int(self.start[dataset]), int(self.start[dataset + 1]))
        values = {s: np.array(c.blocks.reshape(-1)[cut]) for s, c in self.columns.items()}
        return Records(self.pids[dataset], int(self.stamps[dataset]), values)


def _column(group: Any, name: str, length: int, path: Path) -> Column:
    blocks = map_array(group["values"], path)
    kind = str(group.attrs["kind"])
    zones = [map_array(group[zone], path) for zone in _ZONES]
    if kind == "|b1":
        blocks, zones[0], zones[1] = (each.view(bool) for each in (blocks, zones[0], zones[1]))
    schema = Schema(str(name), str(group.attrs["units"]), kind)
    zone_map = ZoneMap(*zones)
    times, rest = divmod(blocks.shape[1], BLOCK)
    if rest or not times:
        raise ValueError(f"{name} has blocks of {blocks.shape[1]} values")
    if times > 1:
        # Tables of before had larger blocks.
        blocks = blocks.reshape(-1, BLOCK)[: block_count(length)]
        zone_map = zone_map.parted(times, len(blocks))
    return Column(schema, blocks, zone_map, map_array(group["histogram"], path))


def write_table(
    path: Path, parts: Sequence["Records | tuple[Table, int]"], *, replaces: Sequence[str] = ()
) -> None:
    """Write datasets of one schema as a table; the file appears when it is whole.

    parts : records, or a table and the place of a dataset in it; replaces : names of files in
    the same folder whose datasets are all here. Memory is that of one channel of one dataset and
    of a few blocks, whatever the table holds.
    """
    pieces = [_Piece.of(part) for part in parts]
    start = np.concatenate([[0], np.cumsum([piece.length for piece in pieces])]).astype("i8")
    with writing(path, replace=True) as file:
        file.attrs["format"] = FORMAT
        if replaces:
            file.attrs["replaces"] = list(replaces)
        channels = file.create_group("channels")
        for schema in pieces[0].schema:
            _write_column(channels.create_group(schema.name), schema, pieces, int(start[-1]))
        group = file.create_group("datasets")
        group["start"] = start
        group["stamp"] = np.array([piece.stamp for piece in pieces], "i8")
        group["pid"] = np.array([piece.pid.encode() for piece in pieces], "S")


class _Piece(NamedTuple):
    """One dataset on its way into a table."""

    pid: str
    stamp: int
    length: int
    schema: tuple[Schema, ...]
    source: Any
    place: int = 0

    @classmethod
    def of(cls, part: "Records | tuple[Table, int]") -> "_Piece":
        if isinstance(part, Records):
            return cls(part.pid, part.stamp, len(part), part.schema, part)
        table, place = part
        length, stamp = int(table.lengths[place]), int(table.stamps[place])
        return cls(table.pids[place], stamp, length, table.schema, table, place)

    def values(self, schema: Schema) -> "NDArray[Any]":
        if isinstance(self.source, Records):
            return self.source.values[schema]
        first = int(self.source.start[self.place])
        flat = self.source.columns[schema].blocks.reshape(-1)
        values: NDArray[Any] = flat[first : first + self.length]
        return values


def _write_column(group: Any, schema: Schema, pieces: Sequence[_Piece], length: int) -> None:
    dtype = np.dtype(schema.dtype)
    stored = np.dtype("u1") if dtype.kind == "b" else dtype
    number = block_count(length)
    group.attrs["units"], group.attrs["kind"] = schema.unit, schema.dtype
    values = group.create_dataset("values", (number, BLOCK), stored)
    zones: list[ZoneMap] = []
    for first, blocks in _in_blocks(schema, pieces, dtype):
        values[first : first + len(blocks)] = blocks.view(stored)
        zones.append(ZoneMap.of(blocks, length - first * BLOCK))
    for name in _ZONES:
        joined = np.concatenate([getattr(zone, name) for zone in zones])
        group[name] = joined.view("u1") if joined.dtype.kind == "b" else joined
    group["histogram"] = np.stack([histogram(piece.values(schema)) for piece in pieces])


def _in_blocks(
    schema: Schema, pieces: Sequence[_Piece], dtype: "np.dtype[Any]"
) -> Iterator[tuple[int, "NDArray[Any]"]]:
    """Yield the number of a block, and values of all pieces from there on, in whole blocks."""
    room = np.empty((2048, BLOCK), dtype)
    flat, filled, first = room.reshape(-1), 0, 0
    for piece in pieces:
        values, taken = piece.values(schema), 0
        while taken < len(values):
            count = min(len(values) - taken, len(flat) - filled)
            flat[filled : filled + count] = values[taken : taken + count]
            filled, taken = filled + count, taken + count
            if filled == len(flat):
                yield first, room
                first, filled = first + len(room), 0
    if filled:
        used = block_count(filled)
        flat[filled : used * BLOCK] = np.nan if dtype.kind == "f" else 0
        yield first, room[:used]
