"""What a converter is given and what it promises; plugins add their own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lightwell.conversion.copying import Copy
from lightwell.datasets import Dataset
from lightwell.errors import PluginError

__all__ = ["Converted", "Converter"]


class Converter(ABC):
    """Writes a dataset as one file of a format.

    compression : what it uses unless told otherwise; suffix : how its files are mostly called;
    is_text : its files are text and not HDF5, and never compressed.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    compression: ClassVar[str] = "bitshuffle-lz4"
    suffix: ClassVar[str] = ".h5"
    is_text: ClassVar[bool] = False

    @abstractmethod
    def write(self, file: Any, dataset: Dataset, path: Path, copy: Copy) -> None:
        """Write into an open, empty HDF5 file, or text file, that will be called `path`.

        dataset : with its list of files; copy : copies arrays, a slab at a time.
        Errors: InputError for a dataset that the format has no place for.
        """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "name"):
            raise PluginError(f"converter {cls.__name__} has no name")


@dataclass(frozen=True)
class Converted:
    """What was written: where, as what, from which dataset."""

    path: Path
    format: str
    facts: Mapping[str, Any]
