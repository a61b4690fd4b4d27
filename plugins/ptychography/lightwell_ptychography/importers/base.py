"""What every importer of ptychography has: the options a person may give, the files of a scan."""

import os
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Unpack

from lightwell import ArrayRef, Described, File, Importer, Part, Unit
from lightwell.errors import MissingSource
from lightwell.hdf5 import linked_files
from lightwell.model import Monochromator
from lightwell.nexus import Header
from lightwell_ptychography.importers.frame import Axes
from lightwell_ptychography.importers.source_options import GivenSource, with_source
from lightwell_ptychography.schema import Ptychography, PtychographyDetector, PtychographyInstrument

__all__ = ["Master", "PtychographyImporter", "array_ref", "flag_missing", "names_in", "numbers_at"]


class PtychographyImporter(Importer):
    """A layout of frames with positions; what its files do not say, a person may."""

    name = "ptychography"

    def describe(
        self,
        file: File,
        /,
        *,
        energy: Annotated[float | None, Unit("eV")] = None,
        distance: Annotated[float | None, Unit("m")] = None,
        pixel_size: Annotated[float | None, Unit("m")] = None,
        propagation: Literal["far", "near"] | None = None,
        focus_distance: Annotated[float | None, Unit("m")] = None,
        swap_axes: bool = False,
        flip_rows: bool = False,
        flip_columns: bool = False,
        **source: Unpack[GivenSource],
    ) -> Iterator[Described]:
        """Describe every scan of the file; what is given here comes before what the file says.

        distance : from sample to detector; pixel_size : of the detector; propagation : far or
        near field; focus_distance : from a focus to the sample, where its shadow is magnified;
        swap_axes, flip_rows, flip_columns : where the positions do not fit the frames; source_name,
        source_type, source_probe, source_energy : of the ring or laser; energy_spread : of its
        light on the sample.
        Errors: InputError for a file without frames.
        """
        axes = Axes(swap_axes, flip_rows, flip_columns)
        for found in self.scans(file):
            entry = found.entry
            if isinstance(entry, Ptychography):
                entry = _with_instrument(entry, energy, distance, pixel_size, source)
                entry = _with_scan(entry, propagation, focus_distance, axes)
            yield Described(entry, found.root, found.parts, found.name)

    @abstractmethod
    def scans(self, file: File) -> Iterator[Described]:
        """Describe every scan as the file has it.

        Errors: InputError for a file without frames.
        """


def _with_instrument(
    entry: Ptychography,
    energy: float | None,
    distance: float | None,
    pixel_size: float | None,
    source: GivenSource,
) -> Ptychography:
    instrument = entry.instrument or PtychographyInstrument()
    detector = instrument.detector or PtychographyDetector()
    given = {"distance": distance, "x_pixel_size": pixel_size, "y_pixel_size": pixel_size}
    update = {name: value for name, value in given.items() if value is not None}
    fields: dict[str, Any] = {}
    if update:
        fields["detector"] = detector.model_copy(update=update)
    if energy is not None:
        fields["monochromator"] = Monochromator(energy=energy)
    told = with_source(instrument.model_copy(update=fields), source)
    if told == instrument:
        return entry
    return entry.model_copy(update={"instrument": told})


def _with_scan(
    entry: Ptychography, propagation: str | None, focus_distance: float | None, axes: Axes
) -> Ptychography:
    if entry.scan is None:
        return entry
    given = {"propagation": propagation, "focus_distance": focus_distance}
    update = {name: value for name, value in given.items() if value is not None}
    return entry.model_copy(update={"scan": axes.applied(entry.scan).model_copy(update=update)})


class Master(NamedTuple):
    """A file and those its links lead to: their common folder, the file's name in it, all parts."""

    root: File
    name: str
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, file: File, inner: str = "/") -> "Master":
        """Look for the files that links below a group lead to."""
        master = os.path.normpath(file.local_path().absolute())
        found = linked_files(master, inner)
        root = os.path.commonpath([str(Path(path).parent) for path in found])
        others = (Part(File(path), "external") for path in found[1:])
        name = Path(master).relative_to(root).as_posix()
        return cls(File(root), name, (Part(File(master), "master"), *others))


def array_ref(
    opened: Any, master: Master, places: tuple[str, ...], unit: str | None = None
) -> ArrayRef | None:
    """The first array at one of some places of an open file; None where there is none.

    Errors: MissingSource for a link there that leads nowhere.
    """
    for place in places:
        array = opened.get(place)
        if array is not None and hasattr(array, "dtype"):
            own = array.attrs.get("units", unit)
            text = own.decode("utf-8", "replace") if isinstance(own, bytes) else own
            text = text if isinstance(text, str) else unit
            shape = tuple(int(length) for length in array.shape)
            return ArrayRef.hdf5(master.name, place, shape, array.dtype, text)
        if array is None and opened.get(place, getlink=True) is not None:
            raise MissingSource(
                "a link of the scan leads nowhere",
                where=f"{opened.filename}:{place}",
                remedy="copy the file it leads to beside this one",
            )
    return None


def flag_missing(header: Header, **found: Any) -> None:
    """Say in the description what a reconstruction needs and the file does not hold."""
    for path, value in found.items():
        if value is None:
            name = path.replace("_", " ")
            header.flag(f"{path.replace('_', '-')}-missing", f"The file does not say the {name}.")


def names_in(group: Any) -> list[str]:
    """The names in a group of a file; none where it is something else.

    HDF5 gives names that are no text as bytes, and no layout has such.
    """
    return [name for name in group if isinstance(name, str)] if hasattr(group, "keys") else []


def numbers_at(opened: Any, place: str) -> Any:
    """The numbers of an array at a place, None where there are none."""
    found = opened.get(place)
    if not hasattr(found, "dtype") or found.dtype.kind not in "iuf":
        return None
    return found[()]
