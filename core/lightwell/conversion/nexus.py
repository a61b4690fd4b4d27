"""NeXus with everything inside: what can be handed over, archived, and ingested again as it was."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from lightwell.conversion.copying import Copy, copied
from lightwell.conversion.protocol import Converter
from lightwell.datasets import Dataset
from lightwell.hdf5 import soft_link
from lightwell.model import ArrayRef, Entry
from lightwell.nexus import add_entry

__all__ = ["CONVERSION_ATTRIBUTE", "NeXus", "write_inside"]

CONVERSION_ATTRIBUTE = "lightwell_conversion"
"""Marks the NXnote about a conversion; its value is the definition of the entry it stands in."""

_VERSION = 1


class NeXus(Converter):
    """One NeXus file that needs no other: arrays copied, the entry kept to the last word."""

    name = "nexus"
    summary = "one self-contained NeXus file"
    suffix: ClassVar[str] = ".nxs"

    def write(self, file: Any, dataset: Dataset, path: Path, copy: Copy) -> None:
        write_inside(file, dataset, path=path, copy=copy)


def write_inside(
    file: Any,
    dataset: Dataset,
    *,
    path: Path,
    copy: Copy,
    present: Mapping[ArrayRef, str] | None = None,
) -> Entry:
    """Write the entry of a dataset with its arrays into an open file; return it as it stands there.

    present : arrays that the file holds already, and where.
    """
    name = dataset.entry_name.strip("/").replace("/", "_") or "entry"
    entry = copied(
        file, dataset.entry, path=path, name=name, copy=copy, present=dict(present or {})
    )
    add_entry(file, entry, path=path, name=name)
    _add_plot(file[name], entry)
    _write_note(file[name], dataset, copy)
    return entry


def _write_note(group: Any, dataset: Dataset, copy: Copy) -> None:
    """Write where the file comes from; nothing in it depends on when or where it was written."""
    from importlib.metadata import version

    name = "conversion"
    while name in group:
        name += "_"
    facts = {
        "form": _VERSION,
        "program": f"lightwell {version('lightwell')}",
        "pid": dataset.pid,
        "manifest": dataset.summary.digest,
        "importer": dataset.importer,
        "options": {name: given.value for name, given in dataset.options.items()},
        "derived_from": list(dataset.derived_from),
        "compression": copy.compression,
    }
    note = group.create_group(name)
    note.attrs["NX_class"] = "NXnote"
    note.attrs[CONVERSION_ATTRIBUTE] = dataset.definition or "NXentry"
    note["type"] = "application/json"
    note["description"] = f"converted from the dataset {dataset.pid}"
    text = json.dumps(facts, separators=(",", ":"), default=str)
    note["data"] = text.encode("ascii")


def _add_plot(group: Any, entry: Entry) -> None:
    """Give an entry without data to plot its frames, and whatever else there is one of per frame.

    Layouts such as three stacks or a folder of images have no NXdata; definitions ask for one.
    """
    detector = entry.instrument.detector if entry.instrument else None
    if entry.data or detector is None or detector.data is None or "data" in group:
        return
    count = detector.data.shape[0] if detector.data.shape else 0
    inner = f"instrument/{detector.group_name or 'detector'}"
    if f"{inner}/data" not in group:
        return
    plot = group.create_group("data")
    plot.attrs["NX_class"] = "NXdata"
    plot.attrs["signal"] = "data"
    _link(plot, "data", group[f"{inner}/data"])
    axes = ["."] * detector.data.ndim
    for name, place, is_axis in _per_frame(entry, inner, count):
        if place in group and name not in plot:
            _link(plot, name, group[place])
            if is_axis and axes[0] == ".":
                axes[0] = name
                plot.attrs[f"{name}_indices"] = 0
    plot.attrs["axes"] = axes
    group.attrs.setdefault("default", "data")


def _per_frame(entry: Entry, detector: str, count: int) -> Iterator[tuple[str, str, bool]]:
    """Yield name and place of the arrays with a value per frame; the sample's are axes."""
    sample = entry.sample
    groups = [
        (sample, (sample.group_name if sample else None) or "sample", True),
        (entry.instrument.detector if entry.instrument else None, detector, False),
    ]
    for group, inner, is_axis in groups:
        for name in type(group).model_fields if group is not None else ():
            value = getattr(group, name)
            if isinstance(value, ArrayRef) and value.shape == (count,):
                yield name, f"{inner}/{name}", is_axis


def _link(group: Any, name: str, target: Any) -> None:
    """Link to an array, which learns the name it has elsewhere, as NeXus asks."""
    if "target" not in target.attrs:
        target.attrs["target"] = target.name
    group[name] = soft_link(target.name)
