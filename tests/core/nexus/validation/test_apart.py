"""In a process of its own: what kills or delays the reader becomes a finding."""

import os
from collections.abc import Callable
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

import pytest

from lightwell.errors import NotFound
from lightwell.nexus.validation import apart, validate, validate_apart

Scan = Callable[..., Path]


class Context(SpawnContext):
    """Starts a process that dies as HDF5 does, whatever it was to do."""

    def Process(self, **_: Any) -> Any:  # noqa: N802 - multiprocessing's own name
        return super().Process(target=os.abort)


def test_the_report_is_the_same(scan: Scan) -> None:
    path = scan(lambda file: file["entry/sample"].attrs.pop("NX_class"))
    assert validate_apart(path) == validate(path)


def test_errors_come_back(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        validate_apart(tmp_path / "gone.nxs")


def test_a_reader_that_dies(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scan()
    monkeypatch.setattr(apart.multiprocessing, "get_context", lambda _: Context())
    report = validate_apart(path)
    assert not report.is_valid
    [finding] = report.findings
    assert (finding.severity, finding.code) == ("broken", "reader-died")
    assert "SIGABRT" in finding.message


def test_a_reader_that_does_not_end(scan: Scan) -> None:
    [finding] = validate_apart(scan(), seconds=0).findings
    assert (finding.severity, finding.code) == ("broken", "reader-stuck")
    assert "within 0 s" in finding.message
