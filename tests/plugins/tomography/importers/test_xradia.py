"""Xradia's OLE2 containers, written here as the microscopes write them."""

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwell
from lightwell import File
from lightwell.containers.txrm import FRAMES, TxrmArray, is_txrm, read_txrm_header
from lightwell.errors import InputError, MissingMetadata, MissingSource, UnreadableFile
from lightwell.manifests import build_manifest
from lightwell.model import Entry
from lightwell.stacks import open_array
from lightwell.testing import check_importer
from lightwell_tomography.importers import Xradia
from lightwell_tomography.schema import Tomography

FREE, END, FATSECT, NOTHING = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
ROWS, WIDTH = 40, 60


def ole2(streams: Mapping[str, bytes]) -> bytes:
    """A compound file (MS-CFB, version 3) with streams in folders, siblings in a plain chain."""
    sectors: list[bytes] = []
    chain: list[int] = []

    def add(content: bytes) -> int:
        if not content:
            return END
        first = len(sectors)
        pieces = [content[i : i + 512].ljust(512, b"\0") for i in range(0, len(content), 512)]
        sectors.extend(pieces)
        chain.extend([*range(first + 1, first + len(pieces)), END])
        return first

    small, small_chain = bytearray(), []
    entries: list[dict[str, Any]] = [{"name": "Root Entry", "type": 5, "start": END, "size": 0}]
    folders: dict[str, int] = {"": 0}
    children: dict[int, list[int]] = {0: []}
    for path, content in streams.items():
        folder, _, leaf = path.rpartition("/")
        if folder not in folders:
            folders[folder] = len(entries)
            children[len(entries)] = []
            children[0].append(len(entries))
            entries.append({"name": folder, "type": 1, "start": 0, "size": 0})
        if len(content) < 4096:
            start = len(small) // 64
            pieces = max(-(-len(content) // 64), 0)
            small.extend(content.ljust(pieces * 64, b"\0"))
            small_chain.extend([*range(start + 1, start + pieces), END] if pieces else [])
            start = start if pieces else END
        else:
            start = add(content)
        children[folders[folder]].append(len(entries))
        entries.append({"name": leaf, "type": 2, "start": start, "size": len(content)})
    entries[0] |= {"start": add(bytes(small)), "size": len(small)}
    raw = b""
    for number, entry in enumerate(entries):
        siblings = next((kids for kids in children.values() if number in kids), [number])
        place = siblings.index(number)
        after = siblings[place + 1] if place + 1 < len(siblings) else NOTHING
        kids = children.get(number) or [NOTHING]
        name = (entry["name"] + "\0").encode("utf-16-le")
        raw += name.ljust(64, b"\0") + struct.pack("<HBB", len(name), entry["type"], 1)
        raw += struct.pack("<III", NOTHING, after, kids[0]) + bytes(36)
        raw += struct.pack("<IQ", entry["start"], entry["size"])
    blank = bytes(64) + struct.pack("<HBBIII", 0, 0, 0, NOTHING, NOTHING, NOTHING) + bytes(48)
    raw += blank * (-len(entries) % 4)
    folder_start = add(raw)
    mini = np.array(small_chain, "<u4").tobytes()
    mini_start = add(mini.ljust(-(-len(mini) // 512) * 512, b"\xff"))
    tables = -(-(len(chain) + 1) // 127)
    first_table = len(chain)
    chain.extend([FATSECT] * tables)
    table = np.array(chain, "<u4").tobytes().ljust(tables * 512, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack(
        "<IIIIIIIII", 0, tables, folder_start, 0, 4096, mini_start, -(-len(mini) // 512), END, 0
    )
    places = [*range(first_table, first_table + tables)]
    header += np.array(places + [FREE] * (109 - tables), "<u4").tobytes()
    return header + b"".join(sectors) + table


def floats(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


def ints(*values: int) -> bytes:
    return np.array(values, "<i4").tobytes()


def streams(
    count: int = 5, *, reference: bool = False, changes: Mapping[str, bytes | None] | None = None
) -> dict[str, bytes]:
    """The streams of a scan: every pixel of image i is 100 + i, of the reference 1000."""
    dates = [f"11/09/15 18:19:{i % 60:02d}".encode().ljust(40, b"\0") for i in range(count)]
    found: dict[str, bytes | None] = {
        "ImageInfo/ImageWidth": ints(WIDTH),
        "ImageInfo/ImageHeight": ints(ROWS),
        "ImageInfo/DataType": ints(5),
        "ImageInfo/NoOfImages": ints(count),
        "ImageInfo/Angles": floats(*np.linspace(-45, 45, count)),
        "ImageInfo/ExpTimes": floats(*[5.0] * count),
        "ImageInfo/Energy": floats(*[9200.5] * count, 0, 0),
        "ImageInfo/PixelSize": floats(0.155),
        "ImageInfo/Voltage": floats(0),
        "ImageInfo/CameraName": b"Andor\0rubbish",
        "ImageInfo/Date": b"".join(dates),
        "SampleInfo/SampleID": b"chip\0",
        "SampleInfo/Analyst": bytes(50),
        "PositionInfo/TotalAxis": ints(1),
        "PositionInfo/AxisNames": b"Sample X".ljust(25, b"\0"),
        "PositionInfo/AxisUnits": "µm".encode("latin-1").ljust(15, b"\0"),
        "PositionInfo/MotorPositions": floats(*[12.5] * count),
        **{
            f"ImageData{i // 100 + 1}/Image{i + 1}": np.full(
                (ROWS, WIDTH), 100 + i, "<u2"
            ).tobytes()
            for i in range(count)
        },
    }
    if reference:
        found["ReferenceData/DataType"] = ints(10)
        found["ReferenceData/Image"] = np.full((ROWS, WIDTH), 1000, "<f4").tobytes()
    return {path: raw for path, raw in {**found, **(changes or {})}.items() if raw is not None}


def write(path: Path, content: Mapping[str, bytes]) -> Path:
    path.write_bytes(ole2(content))
    return path


@pytest.mark.parametrize(("count", "reference"), [(5, False), (5, True), (230, True), (1, True)])
def test_what_every_importer_keeps(tmp_path: Path, count: int, reference: bool) -> None:
    path = write(tmp_path / "a.txrm", streams(count, reference=reference))
    check_importer(Xradia(), path, Tomography if count > 1 else Entry)


def test_frames_angles_and_facts(scans: Any, tmp_path: Path) -> None:
    [found] = scans.describe(write(tmp_path / "a.txrm", streams(reference=True)))
    entry, manifest = found.entry, build_manifest(found.root, [("a.txrm", "master")])
    stack = open_array(entry.instrument.detector.data, manifest).read()
    np.testing.assert_array_equal(stack[:, 3, 4], [1000, *range(100, 105)])
    np.testing.assert_array_equal(
        open_array(entry.instrument.detector.image_key, manifest).read(), [1, 0, 0, 0, 0, 0]
    )
    angles = open_array(entry.sample.rotation_angle, manifest).read()
    np.testing.assert_allclose(angles, [0, *np.linspace(-45, 45, 5)])
    canonical = entry.canonical()
    assert (canonical["sample"], canonical["detector"]) == ("chip", "Andor")
    assert (canonical["energy"], canonical["exposure_time"]) == (9200.5, 5.0)
    assert canonical["pixel_size"] == pytest.approx(1.55e-7)
    assert canonical["start_time"].isoformat() == "2015-11-09T18:19:00"
    assert "time-without-zone" in scans.codes(found)
    assert entry.original["PositionInfo/Sample X"].unit == "µm"
    assert entry.original["PositionInfo/Sample X"].value == 12.5
    assert "analyst" not in entry.users


def test_what_is_not_in_the_file_is_said(scans: Any, tmp_path: Path) -> None:
    [found] = scans.describe(write(tmp_path / "a.txrm", streams()))
    [flag] = [flag for flag in found.entry.flags if flag.code == "kind-of-frame-missing"]
    assert "no dark fields and no flat fields" in flag.message
    with pytest.raises(MissingMetadata, match="no flat fields"):
        scans.arrays(found)


def test_one_image_is_no_tomography(scans: Any, tmp_path: Path) -> None:
    [found] = scans.describe(write(tmp_path / "a.xrm", streams(1, reference=True)))
    assert found.entry.definition_name is None
    manifest = build_manifest(found.root, [("a.xrm", "master")])
    detector = found.entry.instrument.detector
    assert open_array(detector.data, manifest).read().shape == (1, ROWS, WIDTH)
    assert (open_array(detector.flatfield, manifest).read() == 1000).all()
    assert found.entry.sample.rotation_angle == -45.0


def test_only_the_streams_asked_for_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    olefile = pytest.importorskip("olefile")
    array = TxrmArray.find(File(write(tmp_path / "a.txrm", streams(230))), FRAMES)
    array = pickle.loads(pickle.dumps(array))  # noqa: S301 - our own
    read: list[str] = []
    opening = olefile.OleFileIO.openstream

    def counted(self: Any, name: Any) -> Any:
        read.append(str(name))
        return opening(self, name)

    monkeypatch.setattr(olefile.OleFileIO, "openstream", counted)
    assert array.read((slice(149, 151), slice(0, 2), slice(3, 4))).tolist() == [
        [[249], [249]],
        [[250], [250]],
    ]
    assert read == ["ImageData2/Image150", "ImageData2/Image151"]


def test_images_not_taken_are_flagged(scans: Any, tmp_path: Path) -> None:
    gone: dict[str, bytes | None] = {"ImageData1/Image4": None, "ImageData1/Image5": None}
    [found] = scans.describe(write(tmp_path / "a.txrm", streams(changes=gone)))
    assert "images-missing" in scans.codes(found)
    many: dict[str, bytes | None] = {"ImageInfo/NoOfImages": ints(2**31 - 1)}
    [found] = scans.describe(write(tmp_path / "many.txrm", streams(changes=many)))
    assert found.entry.instrument.detector.data.shape == (5, ROWS, WIDTH)
    [found] = scans.describe(tmp_path / "a.txrm")
    assert found.entry.instrument.detector.data.shape == (3, ROWS, WIDTH)
    gap: dict[str, bytes | None] = {"ImageData1/Image2": None}
    with pytest.raises(UnreadableFile, match="4 of 5 images"):
        scans.describe(write(tmp_path / "b.txrm", streams(changes=gap)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ImageInfo/DataType": ints(9)}, "unknown type 9"),
        ({"ImageInfo/Angles": floats(1, 2)}, "2 angles for 5 images"),
        ({"ImageInfo/Angles": None}, "has no ImageInfo/Angles"),
        ({"ImageInfo/ImageHeight": ints(0)}, "0 x 60 pixels"),
        ({"ReconSettings/Version": ints(1)}, "a reconstruction"),
        ({"ImageInfo/ImageWidth": ints(2**31 - 1)}, "the first image holds 4800 bytes"),
        ({"ImageInfo/NoOfImages": ints(-3)}, "0 of"),
    ],
)
def test_what_cannot_be_described_has_a_sentence(
    scans: Any, tmp_path: Path, changes: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        scans.describe(write(tmp_path / "a.txrm", streams(changes=changes)))


def test_damaged_and_missing_streams_are_errors_when_read(tmp_path: Path) -> None:
    short: dict[str, bytes | None] = {"ImageData1/Image2": bytes(100)}
    file = File(write(tmp_path / "a.txrm", streams(changes=short)))
    array = TxrmArray.find(file, FRAMES)
    with pytest.raises(UnreadableFile, match="ImageData1/Image2 holds 50 values"):
        array.read((slice(1, 2),))
    with pytest.raises(MissingSource, match="has no ReferenceData/Image"):
        TxrmArray.find(file, "ReferenceData/Image")
    Path(file.path).unlink()
    with pytest.raises(MissingSource, match="is not there"):
        array.read()


def test_other_containers_and_broken_ones(tmp_path: Path) -> None:
    assert not is_txrm(File(write(tmp_path / "word.doc", {"Word/Document": bytes(5000)})))
    (tmp_path / "cut.txrm").write_bytes(ole2(streams())[:700])
    with pytest.raises(UnreadableFile, match="cannot be read as an OLE2 container"):
        is_txrm(File(tmp_path / "cut.txrm"))


def test_the_real_scan_and_the_real_image(shared_data: Path) -> None:
    folder = shared_data / "tomography" / "xradia"
    scan = check_importer(Xradia(), folder / "txrm_test_chip_tomo.txrm", Tomography)
    assert scan.canonical()["energy"] == pytest.approx(9200.017)
    assert scan.lookup("instrument.detector.data").shape == (7, 256, 256)
    image = check_importer(Xradia(), folder / "test_chip00.xrm", Entry)
    assert image.lookup("instrument.detector.flatfield").shape == (1, 512, 512)
    assert read_txrm_header(File(folder / "test_chip00.xrm")).images == 1


def test_ingested_and_read_again(tmp_path: Path) -> None:
    als = lightwell.open()
    [raw] = als.ingest(write(tmp_path / "a.txrm", streams()))
    assert (raw.importer, raw.entry.definition_name) == ("xradia", "NXtomo")
    assert als.array(raw, "instrument.detector.data").read((slice(2, 3),)).mean() == 102
