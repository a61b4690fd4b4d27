"""Exactly one importer claims a scan that is supported, none what is not."""

from typing import Any

import pytest

SUPPORTED = {
    "als832_20200521_160002_heartbeat_test.h5": "als832",
    "aps_tooth.h5": "dxchange",
    "dataexchange_layout_example5.h5": "dxchange",
    "diamond_k11/k11-18014.nxs": "nxtomo",
    "diamond_tiff_stack": "tiff-folder",
    "xradia/test_chip00.xrm": "xradia",
    "xradia/txrm_test_chip_tomo.txrm": "xradia",
}


@pytest.mark.parametrize(("name", "importer"), SUPPORTED.items())
def test_a_supported_scan_is_claimed_once(
    scans: Any, shared_data: Any, name: str, importer: str
) -> None:
    assert scans.claiming(shared_data / "tomography" / name) == [importer]


def test_nothing_else_among_the_real_files_is_claimed(scans: Any, shared_data: Any) -> None:
    wanted = {shared_data / "tomography" / name for name in SUPPORTED}
    claimed = {path for path in shared_data.rglob("*") if scans.claiming(path)}
    assert claimed == wanted
