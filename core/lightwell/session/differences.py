"""What a result's file says otherwise than the record in the catalog, parameter by parameter."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightwell.errors import LightwellError, UnreadableFile
from lightwell.session.records import JobRecord
from lightwell.session.results import MAIN_PROCESS, RECORD_NOTE

__all__ = ["file_differences"]

_STEP = re.compile(r"/entry/\d+_[^/]+/parameters/([^/@]+)")
_NOTHING = "nothing"


def file_differences(path: Path, record: JobRecord) -> list[str]:
    """Sentences about parameters and digest, each once; none for a file that is gone or damaged.

    A result says its parameters to four kinds of reader: as NXparameters of the job and of the
    steps, as the record that replay follows, and in the exact entry. Whoever changed one of them
    by hand left the others; all are compared.
    """
    from lightwell.hdf5 import open_file, read_values

    if not path.exists():
        return []
    try:
        with open_file(path) as file:
            values = {key: value for key, (value, _) in read_values(file, "/").values.items()}
    except UnreadableFile:
        # Nothing in it can be believed; it is written anew.
        return []
    found = [
        *_as_parameters(values, record),
        *_as_steps(values, record),
        *_as_record(values, record),
        *_as_entry(path, record),
    ]
    return list(dict.fromkeys(found))


def _as_parameters(values: Mapping[str, Any], record: JobRecord) -> Iterator[str]:
    for name, facts in record.parameters.items():
        value = values.get(f"/entry/{MAIN_PROCESS}/parameters/{name}", _NOTHING)
        if not _same(value, facts["value"]):
            yield _sentence(name, facts["value"], value)


def _as_steps(values: Mapping[str, Any], record: JobRecord) -> Iterator[str]:
    """Steps have their parameters under the bare name; one of those of that name has to fit."""
    for key, value in values.items():
        step = _STEP.fullmatch(key)
        if step is None:
            continue
        told = {n: f["value"] for n, f in record.parameters.items() if _bare(n) == step[1]}
        if told and not any(_same(value, one) for one in told.values()):
            name = next(iter(told))
            yield _sentence(name, told[name], value)


def _as_record(values: Mapping[str, Any], record: JobRecord) -> Iterator[str]:
    try:
        text = values[f"/entry/{MAIN_PROCESS}/{RECORD_NOTE}/data"]
        in_file = JobRecord.from_json(json.loads(text), where="the result's record")
    except (LightwellError, KeyError, ValueError, TypeError) as error:
        yield f"the record in the file cannot be read ({error})"
        return
    for name in sorted({*record.parameters, *in_file.parameters}):
        one, other = record.parameters.get(name), in_file.parameters.get(name)
        if one != other:
            yield _sentence(name, (one or {}).get("value"), (other or {}).get("value"))
    if in_file.digest != record.digest:
        yield "the digest in the file is not the one in the catalog"


def _as_entry(path: Path, record: JobRecord) -> Iterator[str]:
    from lightwell.nexus import read_entry

    try:
        shown = read_entry(path).process[MAIN_PROCESS].parameters
    except (LightwellError, KeyError) as error:
        yield f"the entry in the file cannot be read ({error})"
        return
    for name, facts in record.parameters.items():
        value = shown.values[name].value if shown and name in shown.values else _NOTHING
        if not _same(value, facts["value"]):
            yield _sentence(name, facts["value"], value)


def _bare(address: str) -> str:
    return address.rpartition(".")[2]


def _same(shown: Any, recorded: Any) -> bool:
    """Whether a value of a file is the recorded one; what NeXus has no type for stands as JSON."""
    plain = isinstance(recorded, (bool, int, float, str))
    # A text is stripped when it is read.
    expected = recorded.strip() if isinstance(recorded, str) else recorded
    return bool(shown == (expected if plain else json.dumps(recorded)))


def _sentence(name: str, recorded: Any, shown: Any) -> str:
    return f"parameter {name}: recorded {recorded!r}, the file says {shown!r}"
