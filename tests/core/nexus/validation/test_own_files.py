"""What lightwell itself writes is valid; what the writer still lacks is listed here."""

from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np

import lightwell
from lightwell.hdf5 import writing
from lightwell.model import (
    ArrayRef,
    Data,
    Detector,
    Entry,
    Instrument,
    Parameter,
    Parameters,
    Process,
    Sample,
    Source,
)
from lightwell.nexus import write_entry
from lightwell.nexus.validation import Report, validate

# Rule → why the writer does not fulfil it yet. An empty table is the aim.
TO_MEND = {
    "NXtomoproc/NXentry/data/data@transform": "written neutrally, says research/nexus.md",
    "NXtomoproc/NXentry/data/data@offset": "likewise",
    "NXtomoproc/NXentry/data/data@scaling": "likewise",
}


class RawScan(Entry):
    definition = "NXtomo"


class Reconstruction(Entry):
    definition = "NXtomoproc"


def errors(report: Report) -> set[str]:
    found = {f.rule for f in report.findings if f.severity in ("error", "broken")}
    return found - set(TO_MEND)


def instrument(**parts: Detector) -> Instrument:
    source = Source(name="APS", type="Synchrotron X-ray Source", probe="x-ray")
    return Instrument(name="2-BM", source=source, **parts)


def test_an_ingest_master(tmp_path: Path) -> None:
    with writing(tmp_path / "raw.h5") as file:
        file["exchange/data"] = np.ones((4, 2, 3), dtype="u2")
        file["exchange/white"] = np.ones((2, 2, 3), dtype="u2")
    frames = ArrayRef.concatenate(
        ArrayRef.hdf5("raw.h5", "/exchange/data", (4, 2, 3), "uint16", "counts"),
        ArrayRef.hdf5("raw.h5", "/exchange/white", (2, 2, 3), "uint16", "counts"),
    )
    angles = ArrayRef.concatenate(
        ArrayRef.even(0, 90, 4, "degree"), ArrayRef.constant(0, 2, "degree")
    )
    keys = ArrayRef(shape=(6,), dtype="int32", parts=ArrayRef.constant(0, 6, None).parts)
    entry = RawScan(
        title="a scan",
        instrument=instrument(detector=Detector(data=frames, image_key=keys, x_pixel_size=6.7e-6)),
        sample=Sample(name="tooth", rotation_angle=angles),
        data={
            "data": Data(
                signal="data",
                axes=("rotation_angle", "y", "x"),
                fields={"data": frames, "rotation_angle": angles, "image_key": keys},
            )
        },
    )
    report = validate(write_entry(tmp_path / "scan.nxs", entry))
    assert report.definitions == ("NXtomo v2026.01",)
    assert not errors(report), report.findings


def test_a_result(tmp_path: Path) -> None:
    axes = {
        name: ArrayRef.even(0, length - 1, length, "pixel")
        for name, length in (("z", 2), ("y", 4), ("x", 5))
    }
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        file["volume"] = np.ones((2, 4, 5), dtype="f4")
    volume = ArrayRef.hdf5("arrays.h5", "/volume", (2, 4, 5), "float32", "1/m")
    entry = Reconstruction(
        title="a volume",
        instrument=instrument(),
        sample=Sample(name="tooth"),
        process={
            "reconstruction": Process(
                program="lightwell",
                version="0.1.0",
                date="2026-01-31T12:00:00Z",
                sequence_index=1,
                parameters=Parameters(values={"raw_file": Parameter(value="scan.nxs")}),
            )
        },
        data={"data": Data(signal="data", axes=("z", "y", "x"), fields={"data": volume, **axes})},
    )
    report = validate(write_entry(tmp_path / "result.nxs", entry))
    assert report.definitions == ("NXtomoproc v2026.01",)
    assert not errors(report), report.findings
    [order] = [f for f in report.findings if f.waiver == "volume-axes-zyx"]
    assert order.severity == "note"


def test_a_volume_in_neither_order_is_an_error(tmp_path: Path) -> None:
    axes = {name: ArrayRef.even(0, 1, n, "pixel") for name, n in (("z", 2), ("y", 4), ("x", 5))}
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        file["volume"] = np.ones((4, 2, 5), dtype="f4")
    volume = ArrayRef.hdf5("arrays.h5", "/volume", (4, 2, 5), "float32", "1/m")
    entry = Reconstruction(
        data={"data": Data(signal="data", axes=("y", "z", "x"), fields={"data": volume, **axes})}
    )
    report = validate(write_entry(tmp_path / "result.nxs", entry))
    assert [f for f in report.of("error") if f.code == "size"]


def test_nexpy_finds_no_error_in_a_master_and_a_conversion(
    tmp_path: Path, nexusformat: Callable[[Iterable[Path]], dict[Path, int]]
) -> None:
    session = lightwell.open()
    session.simulate("tomography", tmp_path / "scan.h5", width=32, angles=20, rows=4)
    with h5py.File(tmp_path / "scan.h5", "r+") as file:
        # The list of types is open, which nexusformat overlooks.
        del file["entry/instrument/source/type"]
        file["entry/instrument/source/type"] = "Synchrotron X-ray Source"
    [raw] = session.ingest(tmp_path / "scan.h5")
    master = session.installation.home / "entries" / f"{raw.pid}.nxs"
    session.convert(raw, "nexus", tmp_path / "converted.nxs")
    files = [master, tmp_path / "converted.nxs"]
    assert nexusformat(files) == dict.fromkeys(files, 0)
