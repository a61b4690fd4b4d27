"""24 files with one fault each, and three that are right: what other validators miss or die of."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest

from lightwell.nexus.validation import validate

DETECTOR = "/entry/instrument/detector"


class Fault(NamedTuple):
    severity: str
    code: str
    path: str
    plant: Callable[[Any], None]


def replaced(place: str, value: Any) -> Callable[[Any], None]:
    """Write another value and keep the attributes."""

    def change(file: Any) -> None:
        attributes = dict(file[place].attrs)
        del file[place]
        file[place] = value
        file[place].attrs.update(attributes)

    return change


def removed(place: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[place]

    return change


def said(place: str, name: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        file[place].attrs[name] = value

    return change


def unsaid(place: str, name: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[place].attrs[name]

    return change


def linked(place: str, link: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        file[place] = link

    return change


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout(shape=(6, 4, 5), dtype="u2")
    layout[:3] = h5py.VirtualSource("gone.h5", "data", shape=(3, 4, 5))
    target = file[f"{DETECTOR}/data"].attrs["target"]
    del file[f"{DETECTOR}/data"]
    made = file[DETECTOR].create_virtual_dataset("data", layout)
    made.attrs["target"] = target


FAULTS = {
    "required field missing": Fault(
        "error", "field-missing", DETECTOR, removed(f"{DETECTOR}/image_key")
    ),
    "required group missing": Fault("error", "group-missing", "/entry", removed("/entry/sample")),
    "text for integers": Fault(
        "error",
        "type",
        f"{DETECTOR}/image_key",
        replaced(f"{DETECTOR}/image_key", np.array([b"1"] * 6)),
    ),
    "floats for integers": Fault(
        "error", "type", f"{DETECTOR}/image_key", replaced(f"{DETECTOR}/image_key", np.zeros(6))
    ),
    "unit of another kind": Fault(
        "error",
        "unit-category",
        f"{DETECTOR}/distance",
        said(f"{DETECTOR}/distance", "units", "eV"),
    ),
    "nonsense for a unit": Fault(
        "error",
        "unit-unknown",
        f"{DETECTOR}/distance",
        said(f"{DETECTOR}/distance", "units", "furlongz"),
    ),
    "unit missing": Fault(
        "error", "unit-missing", f"{DETECTOR}/distance", unsaid(f"{DETECTOR}/distance", "units")
    ),
    "class wrong": Fault("error", "class-wrong", DETECTOR, said(DETECTOR, "NX_class", "NXsample")),
    "class misspelt": Fault(
        "warning",
        "class-misspelt",
        "/entry/instrument/beam",
        said("/entry/instrument/beam", "NX_class", "NXbeams"),
    ),
    "class absent": Fault("error", "class-wrong", DETECTOR, unsaid(DETECTOR, "NX_class")),
    "soft link broken": Fault(
        "broken", "link-broken", "/entry/lost", linked("/entry/lost", h5py.SoftLink("/entry/gone"))
    ),
    "external link broken": Fault(
        "broken",
        "link-broken",
        "/entry/lost",
        linked("/entry/lost", h5py.ExternalLink("gone.h5", "/data")),
    ),
    "virtual source missing": Fault("broken", "source-missing", f"{DETECTOR}/data", virtual),
    "none of an enumeration": Fault(
        "error",
        "enumeration",
        "/entry/instrument/source/probe",
        replaced("/entry/instrument/source/probe", "xray"),
    ),
    "no date": Fault(
        "error",
        "date-format",
        "/entry/start_time",
        replaced("/entry/start_time", "Tue Oct 18 2022"),
    ),
    "signal names nothing": Fault(
        "error", "signal-missing", "/entry/data", said("/entry/data", "signal", "counts")
    ),
    "more axes than dimensions": Fault(
        "error",
        "axes-rank",
        "/entry/data",
        said("/entry/data", "axes", ["rotation_angle", ".", ".", "."]),
    ),
    "rank wrong": Fault(
        "error",
        "rank",
        f"{DETECTOR}/data",
        replaced(f"{DETECTOR}/data", np.zeros((6, 20), dtype="u2")),
    ),
    "two lengths of one symbol": Fault(
        "error",
        "size",
        "/entry/sample/rotation_angle",
        replaced("/entry/sample/rotation_angle", np.zeros(5)),
    ),
    "default names nothing": Fault(
        "warning", "default-missing", "/entry", said("/entry", "default", "plot")
    ),
    "field nobody knows": Fault(
        "note",
        "field-unknown",
        "/entry/instrument/beam/colour",
        linked("/entry/instrument/beam/colour", "red"),
    ),
    "name with a blank": Fault(
        "warning", "name-form", "/entry/sample/my note", linked("/entry/sample/my note", "x")
    ),
    "definition unknown": Fault(
        "error",
        "definition-misspelt",
        "/entry/definition",
        replaced("/entry/definition", "NXtomos"),
    ),
    "definition absent": Fault("note", "definition-absent", "/entry", removed("/entry/definition")),
}


def as_bytes(file: Any) -> None:
    def change(_: str, item: Any) -> None:
        for name in list(item.attrs):
            value = item.attrs[name]
            if isinstance(value, str):
                item.attrs[name] = np.bytes_(value)
            elif isinstance(value, np.ndarray) and value.dtype.kind == "O":
                item.attrs[name] = value.astype("S")

    change("/", file)
    file.visititems(change)


def as_lists_of_one(file: Any) -> None:
    for place in ("definition", "title", "start_time", "instrument/source/probe", "sample/name"):
        replaced(f"/entry/{place}", np.array([file[f"/entry/{place}"][()]], dtype="S"))(file)
    replaced(f"{DETECTOR}/distance", np.array([0.12]))(file)
    file["/entry/data"].attrs["signal"] = np.array([b"data"])


RIGHT: dict[str, Callable[[Any], None] | None] = {
    "good": None,
    "bytes for text": as_bytes,
    "lists of one value": as_lists_of_one,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_found_where_it_is(fault: Fault, scan: Callable[..., Path]) -> None:
    report = validate(scan(fault.plant))
    found = {(f.severity, f.code, f.path) for f in report.findings}
    assert (fault.severity, fault.code, fault.path) in found
    assert report.is_valid is (fault.severity not in ("error", "broken"))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_every_finding_says_rule_and_mend(fault: Fault, scan: Callable[..., Path]) -> None:
    for finding in validate(scan(fault.plant)).findings:
        assert finding.message.endswith((".", "!"))
        assert finding.message[0].isupper()
        assert finding.mend
        assert finding.rule
        assert finding.definition
        assert finding.version == "v2026.01"


@pytest.mark.parametrize("change", RIGHT.values(), ids=list(RIGHT))
def test_a_good_file_has_no_findings(
    change: Callable[[Any], None] | None, scan: Callable[..., Path]
) -> None:
    report = validate(scan(change))
    assert report.findings == ()
    assert report.definitions == ("NXtomo v2026.01",)


def test_one_fault_makes_no_crowd_of_errors(scan: Callable[..., Path]) -> None:
    for name, fault in FAULTS.items():
        errors = [f for f in validate(scan(fault.plant)).findings if f.severity != "note"]
        assert len(errors) <= 3, (name, errors)


def test_what_nexpy_calls_an_error_is_never_nothing_here(
    scan: Callable[..., Path],
    nexusformat: Callable[[Iterable[Path]], dict[Path, int]],
) -> None:
    plants = {name: fault.plant for name, fault in FAULTS.items()} | RIGHT
    files = {scan(plant, f"{name.replace(' ', '_')}.nxs"): name for name, plant in plants.items()}
    counted = nexusformat(files)
    judged = {path: [f for f in validate(path).findings if f.severity != "note"] for path in files}
    assert not [files[path] for path, errors in counted.items() if errors > 0 and not judged[path]]
    assert not [name for path, name in files.items() if name in RIGHT and counted[path]]
    # It does see faults: ten of the 24 were errors to nexusformat 2.1.0.
    assert sum(errors > 0 for errors in counted.values()) >= 8
