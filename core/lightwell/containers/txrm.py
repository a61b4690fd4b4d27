"""Xradia TXRM and XRM: an OLE2 container with one stream per frame, as one lazy stack.

Layout: `dxchange/reader.py` in data-exchange/dxchange and `txrm2tiff` of Diamond Light Source.
Frame n is the stream ``ImageData<ceil(n / 100)>/Image<n>``; everything is little-endian.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lightwell.errors import MissingSource, NotFound, UnreadableFile
from lightwell.files import File

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FRAMES", "TxrmArray", "TxrmHeader", "is_txrm", "read_txrm_header"]

FRAMES: Final = "ImageData"
"""The path of the stack of all frames; other paths are those of streams."""

Scalar = int | float | str
Value = Scalar | tuple[Scalar, ...]

_MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PER_FOLDER: Final = 100
# The enumeration of data types; LONG (8, 9) has no size of its own and is left out.
_TYPES: Final[Mapping[int, str]] = {
    2: "int8",
    3: "uint8",
    4: "int16",
    5: "uint16",
    6: "int32",
    7: "uint32",
    10: "float32",
    11: "float64",
}
# Streams whose names do not tell that they hold numbers with fractions.
_FLOATS: Final = (
    *("Angles", "XPosition", "YPosition", "ZPosition", "ExpTimes", "ExpTime", "Energy"),
    *("PixelSize", "OpticalMagnification", "XrayMagnification", "Voltage", "Current"),
    *("StoRADistance", "DtoRADistance", "ReadoutFreq", "IonChamberCurrent", "IonCurrent"),
    *("TubelensPosition", "MetrologyXShifts", "MetrologyYShifts", "X-Shifts", "Y-Shifts"),
    *("AbsorptionScaleFactor", "AbsorptionScaleOffset", "TransmissionScaleFactor", "Version"),
    *("RefS2RADistance", "RefD2RADistance", "CamPixelSize"),
)
_TEXTS: Final = (
    *("CameraName", "ObjectiveName", "ReferenceFile", "ZonePlateName", "ZonePlatePartNum"),
    *("ZonePlateSerial", "Analyst", "DateIn", "DateOut", "Facility", "FailureInfo"),
    *("ProcessInfo", "SampleID"),
)
_FOLDERS: Final = ("ImageInfo", "ReferenceData", "SampleInfo", "Alignment", "Version")
# Larger streams are arrays, and the backup of the configuration is no header of the scan.
_LONGEST: Final = 64 * 1024


def is_txrm(file: File) -> bool:
    """Tell whether a file is an OLE2 container with frames as Xradia's microscopes write it.

    Raises `NotFound`, and `UnreadableFile` for a container that is damaged.
    """
    if file.is_dir or file.read_bytes(0, 8) != _MAGIC:
        return False
    with _opened(file) as ole:
        return bool(ole.exists("ImageInfo/ImageWidth"))


@dataclass(frozen=True)
class TxrmHeader:
    """The small streams of a file, by path: texts, numbers, or one value per image.

    `dates` and `axes` (positions of the motors: unit and one value per image) stand apart.
    """

    values: Mapping[str, Value]
    streams: frozenset[str]
    dates: tuple[str, ...]
    axes: Mapping[str, tuple[str, tuple[float, ...]]]

    @property
    def images(self) -> int:
        """How many images the file says it has."""
        found = self.values.get("ImageInfo/NoOfImages", 0)
        return found if isinstance(found, int) else 0


def read_txrm_header(file: File) -> TxrmHeader:
    """Return everything of a file's header that has a known type; raises `UnreadableFile`."""
    with _opened(file) as ole:
        names = ["/".join(parts) for parts in ole.listdir()]
        values: dict[str, Value] = {}
        for name in names:
            leaf = name.rpartition("/")[2]
            if name.partition("/")[0] in _FOLDERS and ole.get_size(name) <= _LONGEST:
                found = _decoded(leaf, ole.openstream(name).read())
                if found is not None:
                    values[name] = found
        images = values.get("ImageInfo/NoOfImages", 0)
        count = images if isinstance(images, int) else 0
        dates = _texts(_bytes(ole, "ImageInfo/Date"), count)
        return TxrmHeader(values, frozenset(names), dates, _axes(ole, count))


@dataclass(frozen=True)
class TxrmArray:
    """An array in a file: all frames, one image, or a list of numbers, read where asked for."""

    file: File
    path: str
    shape: tuple[int, ...]
    type_name: str

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The type of the values, in this machine's byte order."""
        import numpy as np

        return np.dtype(self.type_name)

    @property
    def grain(self) -> tuple[int, ...]:
        """How many points along each axis are read together: an image."""
        return (1, *self.shape[1:])

    @classmethod
    def find(cls, file: File, path: str) -> "TxrmArray":
        """Return the array at a path; raises `MissingSource`, `UnreadableFile`."""
        with _opened(file) as ole:
            if path == FRAMES:
                return cls._frames(file, ole)
            if not ole.exists(path):
                raise MissingSource(f"{file.name} has no {path}", where=str(file))
            size = int(ole.get_size(path))
            if not path.endswith("/Image"):
                return cls(file, path, (size // 4,), "float32")
            kind = _type(_number(ole, f"{path.rpartition('/')[0]}/DataType", file), file)
            found = cls(file, path, (1, *_size(ole, file)), kind)
            if math.prod(found.shape) * found.dtype.itemsize != size:
                raise UnreadableFile(
                    f"{path} holds {size} bytes, which are no image of {found.shape[1:]} {kind}",
                    where=str(file),
                )
            return found

    @classmethod
    def _frames(cls, file: File, ole: Any) -> "TxrmArray":
        # A damaged number must not make us look for billions of streams.
        count = min(_number(ole, "ImageInfo/NoOfImages", file), len(ole.listdir()))
        there = [ole.exists(_frame_path(index)) for index in range(count)]
        taken = sum(there)
        # A scan that was broken off lacks the last images; a gap is damage.
        if not taken or not all(there[:taken]):
            raise UnreadableFile(
                f"{file.name} has {taken} of {count} images", where=str(file), remedy=_COPY
            )
        kind = _type(_number(ole, "ImageInfo/DataType", file), file)
        found = cls(file, FRAMES, (taken, *_size(ole, file)), kind)
        size, wanted = ole.get_size(_frame_path(0)), math.prod(found.shape[1:])
        if size != wanted * found.dtype.itemsize:
            raise UnreadableFile(
                f"the first image holds {size} bytes, which are no {found.shape[1:]} {kind}",
                where=str(file),
                remedy=_COPY,
            )
        return found

    def read(
        self, selection: "tuple[slice | npt.NDArray[np.integer[Any]], ...]" = ()
    ) -> "npt.NDArray[Any]":
        """Return the selected part; of the frames, only the streams that are asked for are read.

        Raises `MissingSource`, `UnreadableFile` naming the stream.
        """
        import numpy as np

        head = selection[0] if selection else slice(None)
        chosen = np.arange(self.shape[0])[head]
        with _opened(self.file) as ole:
            if len(self.shape) == 1:
                return self._stream(ole, self.path, self.shape)[chosen]
            rest = (*selection[1:], *(slice(None),) * (len(self.shape) - max(len(selection), 1)))
            sample = np.empty(self.shape[1:], np.bool_)[rest]
            result = np.empty((len(chosen), *sample.shape), self.dtype)
            for position, index in enumerate(chosen):
                path = _frame_path(int(index)) if self.path == FRAMES else self.path
                result[position] = self._stream(ole, path, self.shape[1:])[rest]
            return result

    def _stream(self, ole: Any, path: str, shape: tuple[int, ...]) -> "npt.NDArray[Any]":
        import numpy as np

        if not ole.exists(path):
            raise MissingSource(f"{self.file.name} has no {path}", where=str(self.file))
        stored = np.frombuffer(_bytes(ole, path), self.dtype.newbyteorder("<"))
        if stored.size != math.prod(shape):
            raise UnreadableFile(
                f"{path} holds {stored.size} values, {' x '.join(map(str, shape))} are expected",
                where=str(self.file),
                remedy=_COPY,
            )
        return stored.reshape(shape).astype(self.dtype, copy=False)


_COPY: Final = "The file is damaged or not complete; copy it again"


@contextmanager
def _opened(file: File) -> Iterator[Any]:
    """Lend the open container; raises `UnreadableFile` for whatever is wrong with it."""
    import olefile  # heavy for a hook module, light here

    try:
        stream = file.open()
    except NotFound as error:
        raise MissingSource(f"{file.name} is not there", where=str(file)) from error
    with stream:
        try:
            with olefile.OleFileIO(stream) as ole:
                yield ole
        except (MissingSource, UnreadableFile):
            raise
        except Exception as error:  # olefile raises whatever it stumbles over
            raise UnreadableFile(
                f"{file.name} cannot be read as an OLE2 container ({error})",
                where=str(file),
                remedy=_COPY,
            ) from error


def _frame_path(index: int) -> str:
    return f"{FRAMES}{index // _PER_FOLDER + 1}/Image{index + 1}"


def _bytes(ole: Any, path: str) -> bytes:
    return bytes(ole.openstream(path).read()) if ole.exists(path) else b""


def _number(ole: Any, path: str, file: File) -> int:
    raw = _bytes(ole, path)
    if len(raw) < 4:
        raise UnreadableFile(f"{file.name} has no {path}", where=str(file), remedy=_COPY)
    return int.from_bytes(raw[:4], "little", signed=True)


def _size(ole: Any, file: File) -> tuple[int, int]:
    rows, width = (_number(ole, f"ImageInfo/Image{name}", file) for name in ("Height", "Width"))
    if rows < 1 or width < 1:
        raise UnreadableFile(f"the images are {rows} x {width} pixels", where=str(file))
    return rows, width


def _type(code: int, file: File) -> str:
    if code not in _TYPES:
        raise UnreadableFile(f"the images are of the unknown type {code}", where=str(file))
    return _TYPES[code]


def _decoded(leaf: str, raw: bytes) -> Value | None:
    """Return what a small stream holds, None for what is no value: images, unknown types."""
    import numpy as np

    if leaf in _TEXTS:
        return _text(raw)
    if leaf == "Date" or not raw or len(raw) % 4 or (leaf.startswith("Image") and len(raw) > 4):
        return None
    if leaf not in _FLOATS and len(raw) > 4:
        return None
    found = np.frombuffer(raw, "<f4" if leaf in _FLOATS else "<i4")
    # The shortest number that means the same: 0.1558, not 0.15579999983310699.
    numbers = tuple(float(str(one)) if leaf in _FLOATS else int(one) for one in found)
    return numbers[0] if len(numbers) == 1 else numbers


def _text(raw: bytes) -> str:
    """Return a text up to its first NUL; what follows is what was in the memory before."""
    return raw.partition(b"\0")[0].decode("latin-1").strip()


def _texts(raw: bytes, count: int) -> tuple[str, ...]:
    """Return one text per image from a stream of records of equal length."""
    if count < 1 or not raw or len(raw) % count:
        return ()
    size = len(raw) // count
    return tuple(_text(raw[i * size : (i + 1) * size]) for i in range(count))


def _axes(ole: Any, images: int) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Return unit and positions of every motor, one position per image."""
    import numpy as np

    raw = _bytes(ole, "PositionInfo/TotalAxis")
    count = int.from_bytes(raw[:4], "little") if raw else 0
    names: Sequence[str] = _texts(_bytes(ole, "PositionInfo/AxisNames"), count)
    units: Sequence[str] = _texts(_bytes(ole, "PositionInfo/AxisUnits"), count)
    positions = np.frombuffer(_bytes(ole, "PositionInfo/MotorPositions"), "<f4")
    if not names or len(units) != count or positions.size != images * count:
        return {}
    table = positions.reshape(images, count)
    return {
        name: (unit, tuple(float(str(one)) for one in table[:, index]))
        for index, (name, unit) in enumerate(zip(names, units, strict=True))
        if name
    }
