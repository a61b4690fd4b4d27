"""One scan in every layout is one scan: frames, positions, mask, lengths; what is odd is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import layouts
import numpy as np
import pytest

from lightwell import File, Importer
from lightwell.errors import InputError, MissingSource
from lightwell.testing.importers import check_importer
from lightwell.units import wavelength_from_energy
from lightwell_ptychography.importers import Cxi, Hxn, NXcxiPtycho, Ptyd, TikeArchive
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.products import Diffraction
from lightwell_ptychography.schema import Ptychography

Load = Callable[..., Diffraction]
OBJECT_PIXEL = wavelength_from_energy(layouts.ENERGY) * layouts.DISTANCE / (16 * layouts.PIXEL)
WRITERS: dict[str, tuple[Importer, Any]] = {
    "scan.cxi": (Cxi(), layouts.cxi),
    "cosmic.cxi": (Cxi(), layouts.cosmic),
    "scan.ptyd": (Ptyd(), layouts.ptyd),
    "scan_1.h5": (Hxn(), layouts.hxn),
    "scan.npz": (TikeArchive(), lambda path, one: layouts.tike(path, one, OBJECT_PIXEL)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_is_the_same_scan(tmp_path: Path, loaded: Load, name: str) -> None:
    importer, write = WRITERS[name]
    one = layouts.scan()
    path = write(tmp_path / name, one)
    entry = check_importer(importer, path, Ptychography)
    data = loaded(importer, path)
    expected = np.fft.ifftshift(one.frames, axes=(1, 2))
    optics = Optics.of(data.optics)
    measured = data.frames**2 if optics.amplitude else data.frames
    np.testing.assert_allclose(measured, expected, rtol=1e-5)
    light = one.light / OBJECT_PIXEL
    np.testing.assert_allclose(data.positions - 8, light - light.min(axis=0), atol=2e-3)
    assert data.canvas.shape == tuple(int(n) for n in np.ceil((data.positions).max(axis=0)) + 24)
    if name not in ("scan.npz", "scan_1.h5"):
        np.testing.assert_array_equal(data.mask, np.fft.ifftshift(one.mask == 0))
    if name != "scan.npz":
        assert entry.canonical()["energy"] == pytest.approx(layouts.ENERGY)
        assert optics.object_row == pytest.approx(OBJECT_PIXEL)


def test_either_home_of_the_frames_may_be_the_link(tmp_path: Path, loaded: Load) -> None:
    one = layouts.scan()
    first = loaded(Cxi(), layouts.cxi(tmp_path / "a.cxi", one, links="data_1"))
    other = loaded(Cxi(), layouts.cxi(tmp_path / "b.cxi", one, links="detector"))
    np.testing.assert_array_equal(first.frames, other.frames)
    np.testing.assert_array_equal(first.positions, other.positions)


@pytest.mark.parametrize(("frames", "positions"), [(9, 7), (6, 9)])
def test_the_longer_is_cut_and_that_is_said(
    tmp_path: Path, loaded: Load, frames: int, positions: int
) -> None:
    whole = layouts.scan()
    part = layouts.Scan(whole.frames[:frames], whole.light, whole.mask)
    path = layouts.cxi(tmp_path / "scan.cxi", part, positions=positions)
    [found] = Cxi().describe(File(path))
    [flag] = [one for one in found.entry.flags if one.code == "count-contradicts"]
    assert f"{frames} frames and {positions} positions" in flag.message
    data = loaded(Cxi(), path)
    assert len(data.frames) == len(data.positions) == min(frames, positions)
    check_importer(Cxi(), path, Ptychography)
    hxn = layouts.hxn(tmp_path / "scan.h5", layouts.Scan(whole.frames[:4], whole.light, whole.mask))
    assert len(loaded(Hxn(), hxn).positions) == 4


def test_basis_vectors_turn_the_positions(tmp_path: Path, loaded: Load) -> None:
    one = layouts.scan()
    plain = loaded(Cxi(), layouts.cxi(tmp_path / "plain.cxi", one))
    size = layouts.PIXEL
    # A detector that is mounted turned by a quarter: rows along +x, columns along -y.
    turned = np.array([[size, 0.0], [0.0, -size], [0.0, 0.0]])
    found = loaded(Cxi(), layouts.cxi(tmp_path / "turned.cxi", one, basis_vectors=turned))
    rows, columns = plain.positions.T
    expected = np.stack([-columns, rows], axis=1)
    np.testing.assert_allclose(found.positions, expected - expected.min(axis=0) + 8, atol=1e-4)
    each = np.broadcast_to(turned.T, (9, 2, 3))
    again = loaded(Cxi(), layouts.cxi(tmp_path / "each.cxi", one, basis_vectors=each))
    np.testing.assert_array_equal(again.positions, found.positions)


def test_a_person_may_turn_them_too(tmp_path: Path, loaded: Load) -> None:
    path = layouts.cxi(tmp_path / "scan.cxi", layouts.scan())
    plain = loaded(Cxi(), path).positions
    swapped = loaded(Cxi(), path, swap_axes=True).positions
    np.testing.assert_array_equal(swapped, plain[:, ::-1])
    flipped = loaded(Cxi(), path, flip_rows=True).positions
    np.testing.assert_allclose(flipped[:, 0] - 8, (plain[:, 0].max() - plain[:, 0]), atol=1e-4)
    np.testing.assert_array_equal(flipped[:, 1], plain[:, 1])


def test_a_bit_that_is_no_fault_is_none(tmp_path: Path, loaded: Load) -> None:
    one = layouts.scan()
    one.mask[7, 7] = 0x1000
    data = loaded(Cxi(), layouts.cxi(tmp_path / "scan.cxi", one))
    assert (data.mask == 0).sum() == 1


def test_the_illumination_of_the_als_is_a_guess(tmp_path: Path, loaded: Load) -> None:
    data = loaded(Cxi(), layouts.cosmic(tmp_path / "scan.cxi", layouts.scan()))
    assert data.guess.shape == (1, 16, 16)
    assert np.abs(data.guess) == pytest.approx(1.0)


def test_a_dangling_link_is_named(tmp_path: Path) -> None:
    path = layouts.cxi(tmp_path / "scan.cxi", layouts.scan())
    with h5py.File(path, "a") as file:
        del file["entry_1/sample_1"]
    with pytest.raises(MissingSource, match="data_1/translation"):
        list(Cxi().describe(File(path)))


def test_frames_of_another_rank_are_refused(tmp_path: Path) -> None:
    one = layouts.scan()
    raster = layouts.Scan(one.frames.reshape(3, 3, 16, 16), one.light, one.mask)
    with pytest.raises(InputError, match="frame, row, column"):
        list(Cxi().describe(File(layouts.cxi(tmp_path / "scan.cxi", raster))))
    np.savez(tmp_path / "odd.npz", data=one.frames, scan=one.light[None])
    with pytest.raises(InputError, match="not \\(angle, frame"):
        list(TikeArchive().describe(File(tmp_path / "odd.npz")))


@pytest.mark.parametrize("name", ["scan.cxi", "scan.ptyd", "scan_1.h5"])
def test_names_that_are_no_text_are_nobodys(tmp_path: Path, name: str) -> None:
    importer, write = WRITERS[name]
    path = write(tmp_path / name, layouts.scan())
    with h5py.File(path, "r+") as file:
        file.create_group(b"entry_\xff")
        file.create_group("chunks" if "chunks" not in file else "more").create_group(b"\xff1")
    assert importer.claims(File(path))
    strange = tmp_path / "strange.h5"
    with h5py.File(strange, "w") as file:
        file.create_group(b"entry_\xff")
        file["entry_1"] = np.arange(3)
        file["chunks"] = np.arange(3)
        file["meta"] = 1
    assert not any(one.claims(File(strange)) for one, _ in WRITERS.values())


def test_a_named_type_is_no_definition(tmp_path: Path) -> None:
    path = tmp_path / "types.h5"
    with h5py.File(path, "w") as file:
        file.create_group("entry").attrs["NX_class"] = "NXentry"
        file["entry/definition"] = np.dtype("f8")
    assert not NXcxiPtycho().claims(File(path))
    assert not any(one.claims(File(path)) for one, _ in WRITERS.values())
