"""Consolidation: the segments of a result become one file, their chunks copied undecoded."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.segments import Segment, SegmentFolder, segment_array
from lightwell.engines.showing import Shown, show
from lightwell.errors import DamagedResult
from lightwell.failpoints import failpoint

__all__ = ["consolidate_arrays"]


def consolidate_arrays(path: Path) -> list[Path]:
    """Merge the segments that a file of arrays shows; return those that are of no more use.

    Whatever it dies of, the file shows the same numbers, and the same call goes on. The segments
    are left to the caller, who may have to say first that they are gone.
    Errors: DamagedResult where a segment is missing, or the copy is not what was copied.
    """
    from lightwell.hdf5 import open_file, release

    with open_file(path) as file:
        shown = Shown.of(file, path)
        # Behind a link they stand where the array does, and are the same.
        attributes = {name: dict(file[name].attrs) for name in shown.cut}
    release(path)
    folder = SegmentFolder(path.parent / shown.folder)
    merged = [_merged(run, shown, attributes) for run in _runs(folder.holding(shown.tiles))]
    failpoint("consolidate-merged")
    show(path, shown, merged, attributes, linked=True)
    failpoint("consolidate-shown")
    kept = {segment.path for segment in merged}
    return [p for p in sorted(folder.path.glob("seg_*.h5")) if p not in kept]


def _runs(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Yield segments that follow each other without a gap."""
    run: list[Segment] = []
    for segment in segments:
        if run and run[-1].last != segment.first:
            yield run
            run = []
        run.append(segment)
    if run:
        yield run


def _merged(
    run: Sequence[Segment], shown: Shown, attributes: Mapping[str, Mapping[str, Any]]
) -> Segment:
    """One segment that holds the tiles of several, with what is to be said about its arrays."""
    from lightwell.hdf5 import open_file, writing

    first, last = run[0].first, run[-1].last
    target = Segment(run[0].path.with_name(f"seg_{first:06d}-{last:06d}.h5"), first, last)
    if len(run) == 1 and _says(target, attributes):
        return target
    with writing(target.path, replace=True) as file:
        _create(file, run, shown)
        for number, segment in enumerate(run):
            shift = (segment.first - first) * shown.tile
            with open_file(segment.path) as source:
                for name, along in shown.cut.items():
                    if along is not None:
                        _copy(source[name], file[name], along, shift)
                    elif number == 0:
                        source.copy(source[name], file, name)
                if number == 0:
                    source.copy(source["uncut_digest"], file, "uncut_digest")
                start = segment.first - first
                file["tile_digests"][start : start + segment.last - segment.first] = source[
                    "tile_digests"
                ][()]
        for name, facts in attributes.items():
            file[name].attrs.update(facts)
        failpoint("consolidate-copied")
    if len(run) > 1:
        _compare(run, target, shown)
    return target


def _says(segment: Segment, attributes: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the arrays of a segment have their attributes already."""
    from lightwell.hdf5 import open_file

    with open_file(segment.path) as file:
        return all(dict(file[name].attrs) == dict(facts) for name, facts in attributes.items())


def _create(file: Any, run: Sequence[Segment], shown: Shown) -> None:
    """Make the datasets that segments are copied into."""
    from lightwell.hdf5 import create_compressed

    for name, along in shown.cut.items():
        if along is None:
            continue
        arrays = [segment_array(segment, name) for segment in run]
        shape = list(arrays[0].shape)
        shape[along] = sum(array.shape[along] for array in arrays)
        create_compressed(file, name, shape, arrays[0].dtype, arrays[0].layout().chunks)
    file.create_dataset("tile_digests", (run[-1].last - run[0].first, 32), "u1")


def _copy(source: Any, target: Any, along: int, shift: int) -> None:
    """Copy one array of a segment to its place; decoded only where its chunks do not fit."""
    from lightwell.hdf5 import copy_chunks

    if copy_chunks(source, target, along, shift):
        return
    step = source.chunks[along] if source.chunks else max(1, source.shape[along])
    others = (slice(None),) * along
    for start in range(0, source.shape[along], step):
        stop = min(start + step, source.shape[along])
        target[(*others, slice(shift + start, shift + stop))] = source[
            (*others, slice(start, stop))
        ]


def _compare(run: Sequence[Segment], merged: Segment, shown: Shown) -> None:
    """Read both, a tile at a time; the segments are given up only for what is equal.

    Errors: DamagedResult, with the copy removed.
    """
    from lightwell.hdf5 import release

    for name, along in shown.cut.items():
        if along is None:
            continue
        whole = segment_array(merged, name)
        for segment in run:
            part = segment_array(segment, name)
            shift = (segment.first - merged.first) * shown.tile
            others = (slice(None),) * along
            for start in range(0, part.shape[along], shown.tile):
                stop = min(start + shown.tile, part.shape[along])
                mine = part.read((*others, slice(start, stop)))
                copied = whole.read((*others, slice(shift + start, shift + stop)))
                if mine.tobytes() != copied.tobytes():
                    release(merged.path)
                    merged.path.unlink()
                    raise DamagedResult(
                        f"the copy of {name} is not what was copied",
                        where=str(segment.path),
                        remedy="check the disk, then consolidate again",
                    )
