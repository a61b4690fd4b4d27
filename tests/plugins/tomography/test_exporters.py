"""Data Exchange, written: what its readers find, and that the way back loses nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lightwell
from lightwell import ArrayRef, Detector, File, Instrument, Sample
from lightwell.conversion import convert
from lightwell.datasets import Dataset
from lightwell.errors import MissingMetadata
from lightwell.manifests import build_manifest
from lightwell.model import Flag, Monochromator, Original, Source, User
from lightwell.nexus.validation import validate
from lightwell.plugins import Plugins
from lightwell.stacks import open_array
from lightwell_tomography.exporters import ConvertedScan, ToDataExchange
from lightwell_tomography.exporters.dxchange_places import PLACES, USER_PLACES
from lightwell_tomography.importers import DataExchange
from lightwell_tomography.products import Scan
from lightwell_tomography.schema import Tomography

CONVERTERS = {"dxchange": ToDataExchange()}


def as_dataset(importer: Any, path: Path) -> Dataset:
    """What an importer says of a file, with its manifest, and without a catalog."""
    [found] = importer.describe(File(path))
    members = [(part.file.relative_to(found.root), part.role) for part in found.parts]
    manifest = build_manifest(found.root, members)
    return Dataset.of(
        found.entry,
        manifest,
        kind="raw",
        importer=importer.name,
        path=str(path),
        owner="mia",
        entry_name=found.name,
    )


def arrays(dataset: Dataset) -> dict[str, Any]:
    found = Scan.load(dataset.entry, lambda ref: open_array(ref, dataset.manifest))
    return {name: lazy.read() for name, lazy in found.items()}


def described(dataset: Dataset) -> Any:
    """The entry as a document, its arrays by shape, type, unit and values."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict) and "parts" in value:
            ref = ArrayRef.model_validate(value)
            numbers = open_array(ref, dataset.manifest).read().tolist()
            return {"unit": ref.unit, "dtype": ref.dtype, "values": numbers}
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return value

    return plain(dataset.entry.document())


texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["C", "Z"]),
    min_size=1,
    max_size=12,
)
numbers = st.floats(1e-9, 1e9)
times = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001
    datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def perhaps(strategy: Any) -> Any:
    return st.none() | strategy


@st.composite
def scans(draw: Any) -> tuple[Tomography, dict[str, Any]]:
    """Any scan: kinds in any order, frames of any type, what is known and what is not."""
    kinds = [0, *draw(st.lists(st.sampled_from([0, 0, 1, 2, 3]), max_size=12))]
    dtype = draw(st.sampled_from(["uint8", "uint16", "float32"]))
    frames = np.arange(len(kinds) * 6).reshape(-1, 2, 3).astype(dtype)
    angles = draw(st.lists(st.floats(-400, 400), min_size=len(kinds), max_size=len(kinds)))
    values = {"frames": frames, "key": np.array(draw(st.permutations(kinds))), "angle": angles}

    def ref(name: str, unit: str | None = None) -> ArrayRef:
        array = np.asarray(values[name])
        return ArrayRef.hdf5("scan.h5", f"/{name}", array.shape, array.dtype, unit)

    entry = Tomography(
        title=draw(perhaps(texts)),
        start_time=draw(perhaps(times)),
        end_time=draw(perhaps(times)),
        experiment_identifier=draw(perhaps(texts)),
        experiment_description=draw(perhaps(texts)),
        sample=Sample(
            name=draw(perhaps(texts)),
            description=draw(perhaps(texts)),
            temperature=draw(perhaps(numbers)),
            mass=draw(perhaps(numbers)),
            preparation_date=draw(perhaps(times)),
            rotation_angle=ref("angle", draw(st.sampled_from(["degree", "radian"]))),
        ),
        instrument=Instrument(
            name=draw(perhaps(texts)),
            beamline=draw(perhaps(texts)),
            source=Source(
                name=draw(perhaps(texts)),
                mode=draw(perhaps(texts)),
                energy=draw(perhaps(numbers)),
                current=draw(perhaps(numbers)),
            ),
            monochromator=Monochromator(
                energy=draw(perhaps(numbers)), energy_error=draw(perhaps(numbers))
            ),
            detector=Detector(
                data=ref("frames", "counts"),
                image_key=ref("key"),
                description=draw(perhaps(texts)),
                serial_number=draw(perhaps(texts)),
                count_time=draw(perhaps(numbers)),
                distance=draw(perhaps(numbers)),
                x_pixel_size=draw(perhaps(numbers)),
                y_pixel_size=draw(perhaps(numbers)),
                gain_setting=draw(perhaps(texts)),
            ),
        ),
        users=draw(st.just({}) | st.builds(lambda n: {"user": User(name=n, email="a@b")}, texts)),
        original={"/odd/key": Original(value=draw(numbers), unit="furlong")},
        flags=(Flag(code="odd", message="Something is."),),
    )
    return entry, values


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(scan=scans())
def test_nexus_to_data_exchange_to_nexus_is_the_identity(
    scan: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    entry, values = scan
    folder = tmp_path_factory.mktemp("scan")
    with h5py.File(folder / "scan.h5", "w") as file:
        for name, value in values.items():
            file[name] = value
    manifest = build_manifest(File(folder), [("scan.h5", "master")])
    first = Dataset.of(entry, manifest, kind="raw", importer="t", path="x", owner="mia")
    convert(first, "nexus", folder / "a.nxs")
    nexus = as_dataset(ConvertedScan(), folder / "a.nxs")
    convert(nexus, "dxchange", folder / "b.h5", converters=CONVERTERS)
    exchange = as_dataset(ConvertedScan(), folder / "b.h5")
    convert(exchange, "nexus", folder / "c.nxs")
    again = as_dataset(ConvertedScan(), folder / "c.nxs")
    assert described(first) == described(nexus) == described(exchange) == described(again)
    declared_survive(first, folder / "b.h5")


def declared_survive(first: Dataset, path: Path) -> None:
    """Hold what a reader that knows Data Exchange alone finds against what was declared."""
    with h5py.File(path) as file:
        for field, (place, unit) in PLACES.items():
            value = first.entry.lookup(field)
            assert (place in file) == (value is not None), field
            if value is None:
                continue
            stored = file[place]
            found = stored.asstr()[()] if stored.dtype.kind == "O" else stored[()]
            assert found == (value.isoformat() if isinstance(value, datetime) else value), field
            assert stored.attrs.get("units") == unit
        for user in first.entry.users.values():
            for field, name in USER_PLACES.items():
                value = getattr(user, field)
                place = f"/measurement/sample/experimenter/{name}"
                assert (place in file) == (value is not None)


@pytest.fixture
def session() -> Any:
    return lightwell.open()


@pytest.fixture
def simulated(session: Any, tmp_path: Path) -> Any:
    session.simulate("tomography", tmp_path / "scan.nxs", width=32, rows=3, angles=9)
    [dataset] = session.ingest(tmp_path / "scan.nxs")
    return session.get(dataset.pid)


def test_another_reader_finds_the_same_scan(simulated: Any, tmp_path: Path) -> None:
    convert(simulated, "dxchange", tmp_path / "dx.h5", converters=CONVERTERS)
    with h5py.File(tmp_path / "dx.h5") as file:
        assert file["implements"].asstr()[()] == "exchange:measurement"
        assert file["exchange/data"].shape == (9, 3, 32)
        assert file["exchange/data"].attrs["axes"] == "theta:y:x"
        assert file["exchange/data"].compression == "gzip"
        np.testing.assert_allclose(file["exchange/theta"], np.linspace(0, 180, 9))
    # By the three stacks alone, without what lightwell wrote beside them.
    plain = as_dataset(DataExchange(), tmp_path / "dx.h5")
    first, second = arrays(simulated), arrays(plain)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    known, found = simulated.entry.canonical(), plain.entry.canonical()
    for name in ("sample", "energy", "pixel_size", "facility", "beamline"):
        assert found[name] == known[name]
    assert "flat-moments-unknown" not in {flag.code for flag in plain.entry.flags}


@pytest.mark.parametrize("parked", [0.0, 999.0, np.nan])
def test_angles_of_flats_tell_when_they_were_taken_whatever_the_stage_said(
    tmp_path: Path, parked: float
) -> None:
    key = np.array([2, 1, 0, 0, 1, 0, 0, 1, 0, 1])
    angle = np.full(len(key), parked)
    angle[key == 0] = [0, 45, 90, 135, 180]
    frames = np.arange(len(key))[:, None, None] * np.ones((1, 2, 3))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["f"], file["k"], file["a"] = frames.astype("u2"), key, angle
    entry = Tomography(
        sample=Sample(rotation_angle=ArrayRef.hdf5("scan.h5", "/a", (10,), "float64", "degree")),
        instrument=Instrument(
            detector=Detector(
                data=ArrayRef.hdf5("scan.h5", "/f", (10, 2, 3), "uint16", "counts"),
                image_key=ArrayRef.hdf5("scan.h5", "/k", (10,), "int64"),
            )
        ),
    )
    manifest = build_manifest(File(tmp_path), [("scan.h5", "master")])
    scan = Dataset.of(entry, manifest, kind="raw", importer="t", path="x", owner="mia")
    convert(scan, "dxchange", tmp_path / "dx.h5", converters=CONVERTERS)
    plain = as_dataset(DataExchange(), tmp_path / "dx.h5")
    first, second = arrays(scan), arrays(plain)
    for name in ("flats", "flat_average", "flat_before", "flat_after", "flat_share"):
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_ingest_takes_what_says_more(session: Any, simulated: Any, tmp_path: Path) -> None:
    convert(simulated, "dxchange", tmp_path / "dx.h5", converters=CONVERTERS)
    (tmp_path / "dx.h5").rename(tmp_path / "sent by mail.h5")
    [found] = session.ingest(tmp_path / "sent by mail.h5")
    assert found.importer == "lightwell-nxtomo"
    dataset = session.get(found.pid)
    assert dataset.entry.canonical() == simulated.entry.canonical()
    assert dataset.entry.original == simulated.entry.original
    np.testing.assert_array_equal(arrays(dataset)["frames"], arrays(simulated)["frames"])
    severe = {one.severity for one in validate(tmp_path / "sent by mail.h5").findings}
    assert not severe & {"error", "broken"}


def test_what_is_no_scan_is_refused(session: Any, simulated: Any, tmp_path: Path) -> None:
    result = session.run("tomography.gridrec", simulated, rotation_axis=15.5).result()
    with pytest.raises(MissingMetadata, match="only tomographic scans"):
        convert(session.get(result.pid), "dxchange", tmp_path / "a.h5", converters=CONVERTERS)
    assert not (tmp_path / "a.h5").exists()


def test_the_plugin_offers_it() -> None:
    assert "dxchange" in Plugins(strict=True).converters
