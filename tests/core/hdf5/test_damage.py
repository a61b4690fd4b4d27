"""Damaged and lying files end in a sentence: never a crash, a hang, or memory without bound."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from lightwell.errors import InputError
from lightwell.hdf5 import Hdf5Array

CODECS: dict[str, dict[str, Any]] = {
    "none": {},
    "shuffle-deflate": {"compression": "gzip", "shuffle": True},
    "deflate": {"compression": "gzip"},
    "bitshuffle-lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "blosc": dict(hdf5plugin.Blosc(cname="lz4")),
}
VALUES = np.random.default_rng(5).integers(0, 400, (12, 64, 48)).astype("u2")
FULL = struct.pack(">I", 0x7FFFFFFF)
MEMORY = 400_000_000

# A process of its own for each codec: what is tested might take the tests down with it.
PROGRAM = """
import json, os, random, resource, sys
import numpy as np
from lightwell.errors import InputError
from lightwell.hdf5 import Hdf5Array, release
from lightwell.hdf5.opening import reading

path, seed, cases, chunks = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
chance = random.Random(seed)
sound = open(path, "rb").read()
array = Hdf5Array.find(path, "/data")
whole = array.read()
counts = {"equal": 0, "other numbers": 0, "refused": 0}
for case in range(cases):
    copy = bytearray(sound)
    # Always chunk 3, which no check at opening looks at, and now and then any other.
    for offset, size in [chunks[3], chance.choice(chunks)][: chance.choice((1, 1, 2))]:
        reach = size if chance.random() < 0.5 else min(size, 24)
        for _ in range(chance.choice((1, 2, 8, 64))):
            value = chance.choice((0, 255, 127, chance.randrange(256)))
            copy[offset + chance.randrange(reach)] = value
    with open(path, "r+b") as file:
        file.write(copy)
    os.utime(path, ns=(case, case + 10**18))
    try:
        found = array.read()
    except InputError as error:
        counts["refused"] += 1
        text = str(error)
        assert "chunk (" in text and path in text and "/data" in text, text
    else:
        counts["equal" if np.array_equal(found, whole) else "other numbers"] += 1
    for frame in (0, 5):
        try:
            array.read((slice(frame, frame + 1),))
        except InputError:
            pass
# Not what getrusage says: a new process begins with the peak of the one that started it.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) * 1024
print(json.dumps({**counts, "peak": peak}))
"""


def write(path: Path, codec: str) -> list[tuple[int, int]]:
    """Write an array of one frame per chunk; return offset and size of each."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=VALUES, chunks=(1, 64, 48), **CODECS[codec])
        infos = [data.id.get_chunk_info(number) for number in range(len(VALUES))]
        return [(info.byte_offset, info.size) for info in infos]


@pytest.mark.soak
@pytest.mark.parametrize("codec", CODECS)
def test_damaged_chunks_are_refused_or_read(tmp_path: Path, soak_share: float, codec: str) -> None:
    chunks = write(tmp_path / "a.h5", codec)
    cases = max(50, round(3000 * soak_share))
    seed = os.environ.get("LIGHTWELL_SEED", "1")
    words = (str(tmp_path / "a.h5"), seed, str(cases), json.dumps(chunks))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found.pop("peak") < MEMORY
    assert sum(found.values()) == cases
    # Without a checksum nobody can tell damaged numbers from others.
    assert found["refused"] > cases / 4 or codec == "none"


def spoil(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


@pytest.mark.parametrize(
    ("codec", "at", "content", "says"),
    [
        ("bitshuffle-lz4", 0, struct.pack(">Q", 1 << 40), "says that it holds 1099511627776 bytes"),
        ("bitshuffle-lz4", 8, FULL, "blocks have 2147483647 bytes"),
        ("bitshuffle-lz4", 8, struct.pack(">I", 0x7FFFFFF0), "blocks have 2147483632 bytes"),
        ("bitshuffle-lz4", 12, FULL, "compressed blocks are damaged"),
        ("deflate", 0, b"\0\0\0\0", "does not hold 6144 bytes"),
        ("shuffle-deflate", 0, b"\0\0\0\0", "does not hold 6144 bytes"),
        ("blosc", 4, struct.pack("<I", 1 << 20), "says that it holds 1048576 bytes"),
        ("blosc", 12, struct.pack("<I", 7), "Blosc header|damaged"),
    ],
)
def test_a_header_that_lies(tmp_path: Path, codec: str, at: int, content: bytes, says: str) -> None:
    path = tmp_path / "a.h5"
    chunks = write(path, codec)
    spoil(path, chunks[3][0] + at, content)
    array = Hdf5Array.find(path, "/data")
    with pytest.raises(InputError, match=rf"chunk \(3, 0, 0\).*({says})"):
        array.read()
    # The others are as they were.
    assert np.array_equal(array.read((slice(4, 12),)), VALUES[4:])


def test_a_chunk_beyond_the_end_and_one_of_another_size(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    chunks = write(path, "bitshuffle-lz4")
    content = path.read_bytes()
    offset, size = chunks[3]
    entry = content.find(struct.pack("<IIQQQQ", size, 0, 3, 0, 0, 0))
    assert entry > 0, "the index of chunks is a B-tree of version 1"
    key = entry + 40
    assert content[key : key + 8] == struct.pack("<Q", offset)
    for place, value, says in (
        (key, struct.pack("<Q", len(content) - 8), "beyond the end"),
        (key, struct.pack("<Q", 1 << 62), "beyond the end"),
        (entry, struct.pack("<I", 0xFFFFFFFF), "beyond the end|are stored for a chunk"),
        (entry, struct.pack("<I", 3), "only 3 bytes|cannot hold"),
    ):
        path.write_bytes(content)
        spoil(path, place, value)
        with pytest.raises(InputError, match=rf"chunk \(3, 0, 0\).*({says})"):
            Hdf5Array.find(path, "/data").read()


def test_a_chunk_that_cannot_be_so_large(tmp_path: Path) -> None:
    """A few bytes that claim to be a gigabyte would be paid for by whoever reads one number."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "data", (3, 30_000, 10_000), "u1", chunks=(1, 30_000, 10_000), compression="gzip"
        )
        for frame in range(3):
            data.id.write_direct_chunk((frame, 0, 0), b"x\x9c\x03\x00\x00\x00\x00\x01")
    with pytest.raises(InputError, match="8 bytes cannot hold the 300000000"):
        Hdf5Array.find(path, "data").read((slice(0, 1), slice(0, 1), slice(0, 1)))


def test_a_difference_from_hdf5_is_said_once_and_hdf5_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from lightwell.hdf5 import codecs

    write(tmp_path / "a.h5", "deflate")
    monkeypatch.setattr(codecs, "_inflated", lambda _, __, size: np.zeros(size, np.uint8))
    array = Hdf5Array.find(tmp_path / "a.h5", "data")
    for _ in range(3):
        assert np.array_equal(array.read(), VALUES)
    assert not array.layout().direct
    assert len(caplog.records) == 1
    assert "read by HDF5" in caplog.text
