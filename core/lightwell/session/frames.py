"""Frames asked for by what was measured with them, as far as the user may see them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightwell.catalog.query import EVERY, And, Compare, Exists, Query
from lightwell.errors import MissingMetadata, UnitError, UnknownName
from lightwell.frame_index import (
    FrameRuns,
    Selection,
    frame_stack,
    parse_frames_query,
    question_text,
)
from lightwell.frame_index.predicates import compile_query, values_of
from lightwell.frame_index.quantities import number_in
from lightwell.frame_index.regions import Region, parse_region, select_in_region
from lightwell.frame_index.statistics import Tiles, tiles_path
from lightwell.frame_index.summary import datasets_query
from lightwell.stacks import open_array
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.session.session import Session

__all__ = ["channel_facts", "select_frames"]


def select_frames(
    session: "Session",
    question: Query | str,
    *,
    datasets: Query = EVERY,
    pids: Sequence[str] | None = None,
    region: Region | str | None = None,
) -> Selection:
    """Return the frames a question is true of, in datasets the session's user may see.

    datasets : a question to the catalog that they have to answer too; pids : look into these
    alone; region : rows and columns that frame_min and frame_max are of.
    Errors: UnknownName with the nearest channel; ParameterError, UnitError, NotFound.
    """
    query = parse_frames_query(question) if isinstance(question, str) else question
    text = question if isinstance(question, str) else question_text(query)
    index = session.installation.frame_index
    for pid in pids or ():
        session.get(pid)
    visible = _with_frames(session, datasets) if pids is None else set(pids)
    if not visible:
        return Selection(
            text, {}, ("no dataset that may be seen fulfils the condition on datasets",)
        )
    channels = index.channels(visible)
    problems = _known_problems(index.problems, visible)
    check_channels(query, channels, problems)
    if region is not None:
        cut = parse_region(region) if isinstance(region, str) else region
        return _in_region(session, query, f"{text} in {_region_text(cut)}", visible, cut)
    pruned = visible
    asked = datasets_query(query, channels)
    if asked is not None and pids is None:
        pruned = visible & set(session.catalog.pids(asked))
    hits = index.select(query, pruned)
    parts: dict[str, FrameRuns] = {}
    for each in hits:
        for place in each.counts.nonzero()[0]:
            length = int(each.table.lengths[place])
            parts[each.table.pids[place]] = FrameRuns(each.runs(int(place)), length)
    looked = {
        "datasets": len(visible),
        "datasets_asked": len(pruned),
        "blocks": sum(each.blocks for each in hits),
        "blocks_read": sum(each.blocks_read for each in hits),
    }
    notes = _notes(query, channels, problems)
    return Selection(text, dict(sorted(parts.items())), notes, looked)


def _with_frames(session: "Session", datasets: Query) -> set[str]:
    """Return the datasets that may be seen, answer a question, have frames and are not retired."""
    shown = ~Compare("retired", "=", value=True)
    return set(session.catalog.pids(And((Exists("frames.count"), shown, datasets))))


def _known_problems(problems: Mapping[str, str], visible: Iterable[str]) -> dict[str, str]:
    """Return what is wrong with files, without those named after datasets one may not see."""
    seen = {f"new/{pid}.h5" for pid in visible}
    return {
        path: why for path, why in problems.items() if path.startswith("tables/") or path in seen
    }


def check_channels(
    query: Query, channels: Mapping[str, Iterable[str]], problems: Mapping[str, str]
) -> None:
    """Refuse a question about a channel that no dataset has, or that asks in no unit it comes in.

    Errors: UnknownName, UnitError, ParameterError.
    """
    compile_query(query, {})
    for name, values in sorted(values_of(query).items()):
        for value in values:
            if name in channels and isinstance(value, str):
                _check_unit(name, value, sorted(channels[name]))
        if name not in channels:
            raise UnknownName(
                f"no dataset here has frames with a channel {name!r}",
                remedy=_where_to_look(name, channels, problems),
            )


def _where_to_look(name: str, channels: Iterable[str], problems: Mapping[str, str]) -> str:
    if problems:
        return f"{len(problems)} files of the frame index cannot be read; see lightwell fsck"
    if not channels:
        return "Ingest a scan, or index one: lightwell frames index PID"
    return f"{nearest(name, channels)}; `lightwell frames` lists them"


def _check_unit(name: str, value: str, units: Sequence[str]) -> None:
    if all(number_in(value, kept, name) is None for kept in units):
        raise UnitError(
            f"{name} is kept in {' or '.join(kept or 'no unit' for kept in units)}, "
            f"and {value!r} is of another kind",
            remedy=f"Give a unit of its kind, or no unit for a number in {units[0] or 'its own'}",
        )


def _notes(
    query: Query, channels: Mapping[str, set[str]], problems: Mapping[str, str]
) -> tuple[str, ...]:
    notes = [
        f"{name} is kept in {' and in '.join(sorted(unit or 'no unit' for unit in channels[name]))}"
        ", by dataset; a number without unit is compared as it stands"
        for name in sorted(values_of(query))
        if len(channels[name]) > 1
    ]
    notes += [f"{path} cannot be read: {why}; see lightwell fsck" for path, why in problems.items()]
    return tuple(notes)


def _region_text(region: Region) -> str:
    return ",".join(f"{part.start}:{'' if part.stop is None else part.stop}" for part in region)


def _in_region(
    session: "Session", query: Query, text: str, pids: Iterable[str], region: Region
) -> Selection:
    """Answer a question about a part of the detector, dataset by dataset."""
    index = session.installation.frame_index
    parts: dict[str, FrameRuns] = {}
    without, read, looked = 0, 0, 0
    for pid in sorted(set(pids)):
        path = tiles_path(index.folder, pid)
        records = index.get(pid)
        if records is None or not path.exists():
            without += 1
            continue
        dataset = session.get(pid)
        stack = frame_stack(dataset.entry)
        if stack is None:
            continue
        tiles, looked = Tiles.open(path), looked + 1
        lazy = open_array(stack, dataset.manifest)
        found, count = select_in_region(query, region, records, tiles, lazy)
        read += count
        if len(found):
            parts[pid] = found
    if without and not looked:
        raise MissingMetadata(
            "no dataset asked for has statistics of its frames",
            remedy="Make them: lightwell frames index PID --statistics",
        )
    notes = [f"{without} datasets have no statistics of their frames, and were left out"]
    counts = {"datasets": looked + without, "datasets_asked": looked, "frames_read": read}
    return Selection(text, parts, tuple(notes if without else ()), counts)


def channel_facts(session: "Session", *, datasets: Query = EVERY) -> list[dict[str, Any]]:
    """Return every channel of the datasets a user may see: name, unit, extent, how many have it."""
    visible = _with_frames(session, datasets)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for each in session.installation.frame_index.tables():
        seen = [p for p, pid in enumerate(each.table.pids) if each.alive[p] and pid in visible]
        for schema, column in each.table.columns.items() if seen else ():
            facts = found.setdefault(
                (schema.name, schema.unit),
                {"name": schema.name, "unit": schema.unit, "datasets": 0, "frames": 0},
            )
            facts["datasets"] += len(seen)
            facts["frames"] += int(each.table.lengths[seen].sum())
            _extend(facts, each.table, column, seen)
    return [found[key] for key in sorted(found)]


def _extend(facts: dict[str, Any], table: Any, column: Any, seen: list[int]) -> None:
    """Widen the extent of a channel by the values of some datasets of a table."""
    import numpy as np

    if len(seen) == len(table.pids):
        zones = column.zones
        present = np.concatenate([zones.low, zones.high])[np.tile(zones.low <= zones.high, 2)]
        _widen(facts, present)
        return
    flat = column.blocks.reshape(-1)
    for place in seen:
        values = flat[int(table.start[place]) : int(table.start[place + 1])]
        _widen(facts, values[~np.isnan(values)] if values.dtype.kind == "f" else values)


def _widen(facts: dict[str, Any], values: Any) -> None:
    if values.size:
        low, high = values.min().item(), values.max().item()
        facts["min"] = min(facts.get("min", low), low)
        facts["max"] = max(facts.get("max", high), high)
