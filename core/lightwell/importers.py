"""Importers: claim a path and yield the entries its files describe."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from lightwell.errors import LightwellError, ParameterError
from lightwell.files import File
from lightwell.model import Entry
from lightwell.parameters import MISSING, Parameter, keyword_parameters
from lightwell.words import nearest

__all__ = ["Described", "Importer", "Part", "opened_hdf5"]


@contextmanager
def opened_hdf5(file: File) -> Iterator[Any]:
    """Lend the open `h5py.File` of a local HDF5 file, or None for whatever else stands there.

    What the `claims` of most importers begins with. Errors: UnreadableFile for a file that is
    HDF5 by its first bytes and truncated or damaged.

    >>> with opened_hdf5(File("/nowhere/notes.txt")) as opened:
    ...     opened is None
    True
    """
    from lightwell.hdf5 import is_hdf5, open_file

    if file.is_dir or not file.is_local or not is_hdf5(file.local_path()):
        yield None
        return
    with open_file(file.local_path()) as opened:
        yield opened


@dataclasses.dataclass(frozen=True)
class Part:
    """One file a dataset consists of, and what it is for ("master", "external", "flat", …)."""

    file: File
    role: str


@dataclasses.dataclass(frozen=True)
class Described:
    """One entry an importer found, and the files that make it up.

    root : the folder the files' names in the entry are relative to;
    name : which entry of the file it is, where a file holds several.
    """

    entry: Entry
    root: File
    parts: Sequence[Part]
    name: str = "entry"


class Importer(ABC):
    """Knows one way in which an instrument writes its files.

    Typed options are keyword-only parameters of `describe`, as with steps: they show in the help,
    are checked, and are recorded as given by a person.
    """

    name: ClassVar[str]
    #: Whether it stands back where another importer claims the same path.
    fallback: ClassVar[bool] = False

    @abstractmethod
    def claims(self, file: File) -> bool:
        """True if this importer can describe the file or folder; looks, but reads no arrays."""

    def advice(self, file: File) -> str | None:
        """What to give instead of a file that nobody claims, where this format has an idea."""
        return None

    @abstractmethod
    def describe(self, file: File, /, *args: Any, **options: Any) -> Iterable[Described]:
        """Yield the entries of the file; a subclass names its own options, keyword-only.

        Errors: InputError naming what is missing or wrong, and where.
        """

    @property
    def options(self) -> Mapping[str, Parameter]:
        """The typed options of `describe`, by name."""
        return keyword_parameters(type(self).describe)

    def checked(self, given: Mapping[str, Any], *, text: bool = False) -> dict[str, Any]:
        """The options a person gave, in their own types.

        Errors: ParameterError for one that is unknown, wrong, or needed and missing.
        """
        known = self.options
        for name in given:
            if name not in known:
                raise ParameterError(
                    f"importer {self.name} has no option '{name}'", remedy=nearest(name, known)
                )
        missing = [n for n, p in known.items() if p.default is MISSING and n not in given]
        if missing:
            option = known[missing[0]]
            raise ParameterError(
                f"importer {self.name} needs {option.name}",
                remedy=f"give it: --set {option.name}=… ({option.wanted})",
            )
        return {n: known[n].check(v, text=text, where=self.name) for n, v in given.items()}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "name"):
            raise LightwellError(f"importer {cls.__name__} has no name")
