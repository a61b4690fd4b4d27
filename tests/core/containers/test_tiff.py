import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lightwell.containers.tiff import TiffStack, is_tiff, list_tiffs
from lightwell.errors import MissingSource, UnreadableFile
from lightwell.files import File

IMAGES = np.arange(11 * 4 * 5, dtype=np.uint16).reshape(11, 4, 5)


@pytest.fixture(params=["folder", "compressed", "big-endian", "pages"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> TiffStack:
    options = {
        "compressed": {"compression": "zlib", "predictor": True},
        "big-endian": {"byteorder": ">"},
    }.get(request.param, {})
    if request.param == "pages":
        tifffile.imwrite(tmp_path / "all.tif", IMAGES, photometric="minisblack")
    else:
        for number, image in enumerate(IMAGES):
            tifffile.imwrite(tmp_path / f"frame_{number}.tif", image, **options)
    (tmp_path / "._frame_1.tif").write_bytes(b"side file")
    return TiffStack(list_tiffs(File(tmp_path)))


@pytest.mark.parametrize(
    "selection",
    [
        (),
        (slice(2, 9, 3),),
        (slice(None), slice(1, 3)),
        (np.array([10, 0, 10]), slice(2, 4), slice(None, None, 2)),
        (slice(0, 0),),
    ],
)
def test_parts_are_those_of_the_array(stack: TiffStack, selection: tuple[slice, ...]) -> None:
    assert (stack.shape, stack.dtype) == (IMAGES.shape, IMAGES.dtype)
    travelled = pickle.loads(pickle.dumps(stack))  # noqa: S301
    read = travelled.read(selection)
    np.testing.assert_array_equal(read, IMAGES[selection])
    assert read.dtype.isnative
    assert read.flags.writeable, "nothing keeps the file mapped"


def test_a_frame_that_does_not_belong(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "f1.tif", IMAGES[0])
    tifffile.imwrite(tmp_path / "f2.tif", IMAGES[0].T)
    tifffile.imwrite(tmp_path / "f3.tif", IMAGES[0].astype("f4"))
    stack = TiffStack(list_tiffs(File(tmp_path)))
    with pytest.raises(
        UnreadableFile, match=r"f2\.tif is 5 x 4 uint16, the first image f1.tif is 4"
    ):
        stack.read((slice(1, 2),))
    with pytest.raises(UnreadableFile, match=r"f3\.tif is 4 x 5 float32"):
        stack.read((slice(2, 3),))
    (tmp_path / "f2.tif").unlink()
    with pytest.raises(MissingSource, match=r"f2\.tif belongs to the stack"):
        stack.read((slice(1, 2),))


def test_damaged_files(tmp_path: Path) -> None:
    whole = tmp_path / "a.tif"
    tifffile.imwrite(whole, IMAGES[0], compression="zlib")
    assert is_tiff(File(whole))
    whole.write_bytes(whole.read_bytes()[:-60])
    with pytest.raises(UnreadableFile, match="copy it again"):
        TiffStack([File(whole)]).read()
    tifffile.imwrite(whole, IMAGES[0])
    content = bytearray(whole.read_bytes())
    with tifffile.TiffFile(whole) as tiff:
        at = tiff.pages[0].tags["ImageWidth"].offset
    # Many widths: the count of values in the tag.
    content[at + 4 : at + 12] = (24).to_bytes(4, "little") + (8).to_bytes(4, "little")
    whole.write_bytes(content)
    with pytest.raises(UnreadableFile, match="damaged: its height and width are"):
        TiffStack([File(whole)])
    whole.write_bytes(b"no image")
    with pytest.raises(UnreadableFile, match="cannot be read as TIFF"):
        TiffStack([File(whole)])
    whole.write_bytes(b"")
    with pytest.raises(UnreadableFile, match="0 bytes"):
        TiffStack([File(whole)])
    with pytest.raises(UnreadableFile, match="no TIFF file"):
        TiffStack([])


def test_colours_and_extra_pages_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    with pytest.raises(UnreadableFile, match="expected grey values"):
        TiffStack([File(tmp_path / "c.tif")])
    tifffile.imwrite(tmp_path / "p.tif", IMAGES, photometric="minisblack")
    with pytest.raises(UnreadableFile, match="holds 11 pages"):
        TiffStack([File(tmp_path / "p.tif")] * 2)
