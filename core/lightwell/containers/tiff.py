"""TIFF: folders of one image per file, and files of many pages, as one lazy stack."""

from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any, Final

from lightwell.errors import MissingSource, NotFound, UnreadableFile
from lightwell.files import File, natural_key

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["TiffStack", "is_tiff", "list_tiffs"]

_SUFFIXES: Final = (".tif", ".tiff")
_MAGIC: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_tiff(file: File) -> bool:
    """Tell whether a file begins as TIFF or BigTIFF does; raises `NotFound`, `UnreadableFile`."""
    return file.read_bytes(0, 4) in _MAGIC


def list_tiffs(folder: File) -> tuple[File, ...]:
    """Return the TIFF files directly in a folder, `frame_9` before `frame_10`."""
    found = [
        file
        for file in folder.children()
        # macOS leaves "._name.tif" side files on shared disks; they are no images.
        if file.suffix in _SUFFIXES and not file.name.startswith(".")
    ]
    return tuple(sorted(found, key=lambda file: natural_key(file.name)))


class TiffStack:
    """Images as one array (frame, row, column), read only where it is asked for.

    One file gives one frame per page; several files give one frame each, in the order given.
    The first file tells shape and type; another one that differs is an `UnreadableFile` naming
    it when it is read.
    """

    def __init__(self, files: Iterable[File]) -> None:
        self.files: Sequence[File] = tuple(files)
        if not self.files:
            raise UnreadableFile("there is no TIFF file here", remedy="Check the folder")
        pages, self.frame_shape, self.dtype = _header(self.files[0])
        if len(self.files) > 1 and pages > 1:
            raise UnreadableFile(
                f"{self.files[0].name} holds {pages} pages, expected one image per file",
                where=str(self.files[0]),
                remedy="Give one multi-page file, or files of one page each",
            )
        frames = pages if len(self.files) == 1 else len(self.files)
        self.shape: tuple[int, ...] = (frames, *self.frame_shape)

    @property
    def grain(self) -> tuple[int, ...]:
        """How many points along each axis are read together: a frame."""
        return (1, *self.frame_shape)

    def read(
        self, selection: "tuple[slice | npt.NDArray[np.integer[Any]], ...]" = ()
    ) -> "npt.NDArray[Any]":
        """Return the selected part, opening only the frames and rows it needs.

        Raises `MissingSource` or `UnreadableFile` naming the file.
        """
        import numpy as np

        full = (*selection, *(slice(None),) * (len(self.shape) - len(selection)))
        frames = np.arange(self.shape[0])[full[0]]
        inside = full[1:]
        sample = np.empty(self.frame_shape, dtype=np.bool_)[inside]
        result = np.empty((len(frames), *sample.shape), dtype=self.dtype)
        for position, frame in enumerate(frames):
            result[position] = self._frame(int(frame), inside[0])[(slice(None), *inside[1:])]
        return result

    def _frame(self, frame: int, rows: Any) -> "npt.NDArray[Any]":
        """Return the selected rows of one frame."""
        import tifffile

        file = self.files[0] if len(self.files) == 1 else self.files[frame]
        page_number = frame if len(self.files) == 1 else 0
        with _opened(file) as stream:
            try:
                with tifffile.TiffFile(stream, name=file.name) as tiff:
                    page = tiff.pages[page_number]
                    self._check(file, page)
                    mapped = _mapped(file, page)
                    image = page.asarray() if mapped is None else mapped
                    return image[rows]  # type: ignore[no-any-return,unused-ignore]
            except UnreadableFile:
                raise
            except Exception as error:  # tifffile raises whatever its decoders raise
                raise _damaged(file, error) from error

    def _check(self, file: File, page: Any) -> None:
        """Raise `UnreadableFile` if a page is not shaped and typed as the first one."""
        if tuple(page.shape) != self.frame_shape or page.dtype.newbyteorder("=") != self.dtype:
            raise UnreadableFile(
                f"{file.name} is {_described(page.shape, page.dtype)}, the first image "
                f"{self.files[0].name} is {_described(self.frame_shape, self.dtype)}",
                where=str(file),
                remedy="Remove the file that does not belong to the scan",
            )


def _opened(file: File) -> IO[bytes]:
    """Open one file of a stack; raises `MissingSource` naming it if it is not there."""
    try:
        return file.open()
    except NotFound as error:
        raise MissingSource(
            f"{file.name} belongs to the stack, but is not there",
            where=str(file),
            remedy="Stage or restore the file",
        ) from error


def _header(file: File) -> "tuple[int, tuple[int, ...], np.dtype[Any]]":
    """Return the number of pages, the shape and the type of the first one."""
    import tifffile

    file.require_content()
    with file.open() as stream:
        try:
            with tifffile.TiffFile(stream, name=file.name) as tiff:
                page = tiff.pages[0]
                if page.dtype is None or len(page.shape) != 2:
                    raise UnreadableFile(
                        f"{file.name} holds a {len(page.shape)}-dimensional image, "
                        "expected grey values (row, column)",
                        where=str(file),
                    )
                if not all(isinstance(length, int) for length in page.shape):
                    raise UnreadableFile(
                        f"{file.name} is damaged: its height and width are {page.shape}",
                        where=str(file),
                        remedy="copy it again from its source",
                    )
                return len(tiff.pages), tuple(page.shape), page.dtype.newbyteorder("=")
        except UnreadableFile:
            raise
        except Exception as error:  # tifffile raises whatever its decoders raise
            raise _damaged(file, error) from error


def _mapped(file: File, page: Any) -> "npt.NDArray[Any] | None":
    """Return an uncompressed image as a view of the file, so that rows not asked for stay there."""
    if not (file.is_local and page.is_memmappable and page.is_contiguous):
        return None
    import numpy as np

    order = page.parent.byteorder
    stored = page.dtype.newbyteorder(order)
    offset = page.dataoffsets[0]
    view = np.memmap(file.path, stored, "r", offset, page.shape)
    return np.asarray(view)


def _described(shape: Sequence[int], dtype: Any) -> str:
    return f"{' x '.join(map(str, shape))} {dtype}"


def _damaged(file: File, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"{file.name} cannot be read as TIFF ({error})",
        where=str(file),
        remedy="The file is damaged or not complete; copy it again",
    )
