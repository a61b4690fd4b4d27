"""Reduced curves in text files: RAW, Nika, and columns nobody else knows."""

import json
from collections.abc import Iterator
from typing import Any

from lightwell import ArrayRef, Described, File, Importer, Part, Sample
from lightwell.containers.columns import Columns, read_columns
from lightwell.errors import InputError
from lightwell.model import Data, FilePart, Flag, Process
from lightwell.nexus import Header
from lightwell.units import convert
from lightwell_saxs.schema import ReducedScattering

__all__ = ["ColumnCurve", "NikaCurve", "RawCurve", "curve_data"]

_RAW = ("### DATA:", "### HEADER:")
_SUFFIXES = frozenset({".csv", ".dat", ".txt", ".xy", ".chi"})
_FEWEST_POINTS = 10
_ASSUMED = Flag(
    code="unit-assumed",
    message="The file does not say the unit of Q; the program writes 1/angstrom.",
    path="data.sasdata.Q",
)


class RawCurve(Importer):
    """A curve of BioXTAS RAW: Q, I, error, and its history as JSON behind ``### HEADER``."""

    name = "raw-dat"

    def claims(self, file: File) -> bool:
        if file.is_dir or file.suffix not in _SUFFIXES:
            return False
        content = file.read_bytes(0, 4096) + _end_of(file)
        return all(mark.encode() in content for mark in _RAW)

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe the curve; what RAW applied and found is kept, key by key."""
        columns = _needed(file)
        facts = _json_behind(columns)
        header = Header({key: (value, None) for key, value in _flat(facts)})
        program = header.text("raw_version")
        entry = ReducedScattering(
            title=header.text("filename") or file.name,
            sample=Sample(name=file.name.rpartition(".")[0]),
            process={"raw": Process(program="BioXTAS RAW", version=program)},
            data={"sasdata": curve_data(file, columns, "1/angstrom", ("Q", "I", "Idev"))},
            default="sasdata",
            original=header.original(),
            flags=(*header.flags, _ASSUMED),
        )
        yield Described(entry, file.parent, [Part(file, "curve")])


class NikaCurve(Importer):
    """A curve Nika exported: columns q_…, r_… (intensity), s_… (error), w_… (width in q)."""

    name = "nika-dat"

    def claims(self, file: File) -> bool:
        if file.is_dir or file.suffix not in _SUFFIXES:
            return False
        words = file.read_bytes(0, 1024).decode("utf-8", "replace").split("\n")[0].split()
        return len(words) >= 3 and [word[:2].lower() for word in words[:3]] == ["q_", "r_", "s_"]

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe the curve; its name stands behind the letters of its columns."""
        columns = _needed(file)
        words = columns.before[-1].split() if columns.before else []
        name = words[0][2:] if words else file.name
        names = ("Q", "I", "Idev", "dQ")[: columns.values.shape[1]]
        entry = ReducedScattering(
            title=name,
            sample=Sample(name=name),
            process={"nika": Process(program="Nika")},
            data={"sasdata": curve_data(file, columns, "1/angstrom", names)},
            default="sasdata",
            flags=(_ASSUMED,),
        )
        yield Described(entry, file.parent, [Part(file, "curve")])


class ColumnCurve(Importer):
    """Two to four columns of numbers whose first one rises; what they are, a person says."""

    name = "column-curve"
    fallback = True

    def claims(self, file: File) -> bool:
        if file.is_dir or file.suffix not in _SUFFIXES or file.read_bytes(0, 6) == b"# XDI/":
            return False
        columns = read_columns(file)
        return columns is not None and _is_curve(columns)

    def describe(
        self, file: File, /, *, q_unit: str | None = None, sample: str | None = None
    ) -> Iterator[Described]:
        """Describe the curve: abscissa, intensity, error, and a fourth column as it stands.

        q_unit : of the abscissa, 1/angstrom or 1/nm, in place of the one in the header; without
        either analyses refuse the curve.
        """
        columns = _needed(file)
        header = Header(_comments(columns))
        said = q_unit is None and "abscissa_unit" in header
        q_unit = header.text("abscissa_unit", field="data.sasdata.Q") if said else q_unit
        if q_unit is None:
            header.flag(
                "unit-missing",
                "The file does not say the unit of its first column (--set q_unit=1/angstrom).",
                "data.sasdata.Q",
            )
        elif not said:
            convert(1.0, q_unit, "1/nm")
        own = header.text("intensity_unit", field="data.sasdata.I") if said else None
        last = "Qdev" if said else "column_4"
        names = ("Q", "I", "Idev", last)[: columns.values.shape[1]]
        if len(names) > 2 and not said:
            header.flag(
                "columns-assumed",
                "The file does not say what its columns are; the third is taken for the error.",
                "data.sasdata.Idev",
            )
        entry = ReducedScattering(
            title=file.name,
            sample=Sample(name=sample) if sample else None,
            data={"sasdata": curve_data(file, columns, q_unit, names, own)},
            default="sasdata",
            original=header.original(),
            flags=header.flags,
        )
        yield Described(entry, file.parent, [Part(file, "curve")])


def curve_data(
    file: File,
    columns: Columns,
    unit: str | None,
    names: tuple[str, ...],
    own: str | None = None,
) -> Data:
    """The columns of a text file as data to plot: I over Q; own : the unit of the intensity."""
    count = len(columns.values)
    fields = {
        name: ArrayRef(
            shape=(count,),
            dtype="float64",
            unit=unit if name in ("Q", "dQ", "Qdev") else own if name in ("I", "Idev") else None,
            parts=(FilePart(container="columns", file=file.name, path=str(place), count=count),),
        )
        for place, name in enumerate(names)
    }
    return Data(signal="I", axes=("Q",), fields=fields)


def _needed(file: File) -> Columns:
    columns = read_columns(file)
    if columns is None:
        raise InputError(
            "the file has no block of lines with numbers", where=str(file), remedy="look into it"
        )
    return columns


def _end_of(file: File) -> bytes:
    size = file.size
    return file.read_bytes(max(size - 65536, 0), size)


def _json_behind(columns: Columns) -> dict[str, Any]:
    """The JSON in the comments before or behind the numbers; empty where it cannot be read."""
    for lines in (columns.after, columns.before):
        text = "\n".join(line.lstrip("#") for line in lines if line.startswith("#"))
        start, stop = text.find("{"), text.rfind("}")
        if 0 <= start < stop:
            try:
                found = json.loads(text[start : stop + 1])
            except ValueError:
                continue
            return found if isinstance(found, dict) else {}
    return {}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no mapping, by the keys that lead to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}/{name}" if key else str(name))
    elif isinstance(value, list):
        plain = all(isinstance(one, (str, int, float)) for one in value)
        yield key, tuple(value) if plain and value else json.dumps(value)
    elif value is not None:
        yield key, value


def _comments(columns: Columns) -> dict[str, tuple[Any, str | None]]:
    """``# key: value`` lines before the numbers."""
    found: dict[str, tuple[Any, str | None]] = {}
    for line in columns.before:
        key, colon, value = line.lstrip("#=/ \t").partition(":")
        if colon and key.strip() and value.strip() and len(key) < 80:
            found.setdefault(key.strip(), (value.strip(), None))
    return found


def _is_curve(columns: Columns) -> bool:
    import numpy as np

    values = columns.values
    first = values[:, 0]
    return (
        2 <= values.shape[1] <= 4
        and len(values) >= _FEWEST_POINTS
        and bool((first[-1] > first[0]) & (np.diff(first) >= 0).all() & (first >= 0).all())
    )
