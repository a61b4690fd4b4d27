"""Detector images of one frame per file (EDF, CBF, Pilatus TIFF, …), read by fabio as a stack."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lightwell.errors import UnreadableFile
from lightwell.files import File

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FabioStack", "read_header"]


class FabioStack:
    """Images as one array (frame, row, column), opened one at a time.

    The first file tells shape and type. Errors: UnreadableFile naming the file that is damaged or
    differs; MissingSource where one is not there.
    """

    def __init__(self, files: Iterable[File]) -> None:
        self.files: Sequence[File] = tuple(files)
        first = _opened(self.files[0])
        self.frame_shape: tuple[int, ...] = tuple(first.data.shape)
        self.dtype: np.dtype[Any] = first.data.dtype.newbyteorder("=")
        self.shape: tuple[int, ...] = (len(self.files), *self.frame_shape)

    def read(
        self, selection: "tuple[slice | npt.NDArray[np.integer[Any]], ...]" = ()
    ) -> "npt.NDArray[Any]":
        """Return the selected part."""
        import numpy as np

        full = (*selection, *(slice(None),) * (len(self.shape) - len(selection)))
        frames = [self._frame(int(i))[full[1:]] for i in np.arange(self.shape[0])[full[0]]]
        empty = np.empty((0, *self.frame_shape), self.dtype)[(slice(None), *full[1:])]
        return np.stack(frames) if frames else empty

    def _frame(self, index: int) -> "npt.NDArray[Any]":
        import numpy as np

        image = _opened(self.files[index]).data
        if tuple(image.shape) != self.frame_shape:
            raise UnreadableFile(
                f"{self.files[index].name} has {image.shape} pixels, {self.files[0].name} has "
                f"{self.frame_shape}",
                where=str(self.files[index]),
                remedy="Remove the file that does not belong to the scan",
            )
        return np.asarray(image, self.dtype)


def read_header(file: File) -> tuple[dict[str, str], tuple[int, ...], str]:
    """Header, shape and type of the first image of a file.

    Errors: UnreadableFile.
    """
    image = _opened(file)
    header = {str(key): str(value) for key, value in dict(image.header).items()}
    return header, tuple(image.data.shape), str(image.data.dtype.newbyteorder("="))


def _opened(file: File) -> Any:
    import logging

    import fabio

    # It logs what it then raises, or what is no matter.
    logging.getLogger("fabio").setLevel(logging.CRITICAL)
    try:
        return fabio.open(str(file.local_path()))
    except Exception as error:  # fabio raises whatever its readers raise
        raise UnreadableFile(
            f"{file.name} cannot be read as a detector image ({error})",
            where=str(file),
            remedy="The file is damaged or not complete; copy it again",
        ) from error
