import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lightwell.datasets import LARGEST_DOCUMENT, Dataset, Given, ReplicaSummary, make_pid
from lightwell.errors import InputError, NotFound, ParameterError
from lightwell.manifests import Manifest, ManifestFile
from lightwell.model import Entry, Flag, Original, Sample

MANIFEST = Manifest("file:///data", (ManifestFile("a.h5", "master", 10, 1, "ab"),))


def made(entry: Entry, **more: Any) -> Dataset:
    return Dataset.of(
        entry, MANIFEST, kind="raw", importer="dxfile", path="/data/a.h5", owner="mia", **more
    )


def test_there_and_back() -> None:
    entry = Entry(
        title="tooth",
        start_time=datetime(2013, 7, 13, 18, 57, tzinfo=UTC),
        experiment_identifier="als-1",
        sample=Sample(name="shell"),
        original={"x.y": Original(value=1, unit="mm")},
        flags=(Flag(code="missing-source", message="a link dangles"),),
    )
    dataset = made(
        entry,
        entry_name="entry",
        options={"first_angle": Given(0.0, "mia")},
        derived_from=("lw-a",),
        job={"recipe": "tomography.gridrec"},
        replicas=(ReplicaSummary("data", "disk", "online", 1, 10),),
    )
    document = dataset.to_document()
    assert document["canonical"]["start_time"] == "2013-07-13T18:57:00.000000Z"
    assert document["canonical"]["sample"] == "shell"
    assert document["flags"] == ["missing-source"]
    assert document["manifest"]["digest"] == MANIFEST.digest()
    back = Dataset.from_document(json.loads(json.dumps(document)))
    assert back == dataset
    assert (back.proposal, back.tiers) == ("als-1", ("disk",))
    assert dataset.manifest is MANIFEST
    with pytest.raises(NotFound, match="list of files"):
        _ = back.manifest


def test_identity_is_the_content() -> None:
    elsewhere = Manifest("file:///other", MANIFEST.files)
    one, other = made(Entry()), Dataset.of(
        Entry(title="later"), elsewhere, kind="raw", importer="x", path="/o", owner="bo"
    )  # fmt: skip
    assert one.pid == other.pid == make_pid(MANIFEST.digest(), "")
    assert one.pid != made(Entry(), entry_name="second").pid


def test_a_large_document_is_trimmed_and_says_so() -> None:
    original = {f"key{n}": Original(value="x" * 2000) for n in range(60)}
    original["small"] = Original(value=1)
    document = made(Entry(original=original)).to_document()
    assert len(json.dumps(document)) <= LARGEST_DOCUMENT
    assert len(document["entry"]["original"]) > 20
    assert "small" in document["entry"]["original"]
    assert document["flags"] == ["document-trimmed"]
    again = Dataset.from_document(document)
    assert again.to_document() == document
    with pytest.raises(ParameterError, match="belong in arrays"):
        made(Entry(title="x" * LARGEST_DOCUMENT)).to_document()


def test_a_damaged_document() -> None:
    document = made(Entry()).to_document()
    del document["manifest"]
    with pytest.raises(InputError, match="reindex"):
        Dataset.from_document(document)
