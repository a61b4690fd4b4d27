"""NXcxi_ptycho: CXI 1.6 with the words of NeXus, for PtyPy, cdtools and whatever else reads CXI.

Frames are written as counts with their zero frequency in the middle, positions as displacements of
the sample (x, y, z) in metre with CXI's default axes: rows run down, columns to the right of who
looks along the beam. What is not known (of the source and the energy spread, which the definition
asks for) is left out; a person may give it at ingest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from lightwell.conversion import Converter, Copy
from lightwell.datasets import Dataset
from lightwell.errors import MissingMetadata
from lightwell.hdf5 import soft_link
from lightwell.model import Entry
from lightwell.stacks import ArrayInMemory, LazyArray
from lightwell_ptychography.native_order import CentredFrames
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.scan_positions import light_positions
from lightwell_ptychography.schema import Ptychography

__all__ = ["ToNXcxiPtycho"]

_JOULE = 1.602176634e-19
_DETECTOR = "instrument_1/detector_1"
_CLASSES = {
    "instrument_1": "NXinstrument",
    "instrument_1/source_1": "NXsource",
    "instrument_1/beam_1": "NXbeam",
    _DETECTOR: "NXdetector",
    "sample_1": "NXsample",
    "sample_1/geometry_1": "NXcollection",
    "sample_1/transformations": "NXtransformations",
    "data_1": "NXcollection",
    "data": "NXdata",
}


class ToNXcxiPtycho(Converter):
    """One entry_1 that is CXI and NeXus at once."""

    name = "nxcxi-ptycho"
    summary = "NXcxi_ptycho, which is CXI 1.6 too"
    # What reads this format mostly knows no other filter.
    compression: ClassVar[str] = "gzip"
    suffix: ClassVar[str] = ".cxi"

    def write(self, file: Any, dataset: Dataset, path: Path, copy: Copy) -> None:
        """Write a scan.

        Errors: MissingMetadata for what is no scan, or whose positions are no lengths.
        """
        import numpy as np

        entry = dataset.entry
        if not isinstance(entry, Ptychography) or entry.lookup("scan.positions") is None:
            raise MissingMetadata("the dataset is no scan of ptychography")
        optics = Optics.of_entry(entry)
        light = _lengths(entry, copy, optics)
        file["cxi_version"] = 160
        file["number_of_entries"] = 1
        file.attrs["NX_class"], file.attrs["default"] = "NXroot", "entry_1"
        group = file.create_group("entry_1")
        group.attrs["NX_class"], group.attrs["default"] = "NXentry", "data"
        for name, kind in _CLASSES.items():
            group.create_group(name).attrs["NX_class"] = kind
        _write_facts(group, entry)
        _write_beam(group, entry)
        _write_detector(group, entry, copy)
        moved = np.stack([light[:, 1], light[:, 0], np.zeros(len(light))], axis=1)
        _write_positions(group, moved)
        _write_plot(group)


def _lengths(entry: Entry, copy: Copy, optics: Optics) -> Any:
    """Where the light was, in metre.

    Errors: MissingMetadata where positions are in pixels of unknown size.
    """
    import numpy as np

    sizes = np.array([optics.object_row, optics.object_column])
    if not np.isfinite(sizes).all():
        raise MissingMetadata(
            "the format wants positions in metre, and the size of a pixel of the object is "
            "not known",
            remedy="ingest the scan with --set energy=… --set distance=… --set pixel_size=…",
        )
    return light_positions(entry, copy.open_array, optics) * sizes


def _write_facts(group: Any, entry: Ptychography) -> None:
    group["definition"] = "NXcxi_ptycho"
    group["title"] = entry.title or ""
    for name in ("start_time", "end_time"):
        value = getattr(entry, name)
        if value is not None:
            group[name] = value.isoformat()
    if entry.sample and entry.sample.name:
        group["sample_1/name"] = entry.sample.name
    if entry.scan and entry.scan.propagation:
        group["propagation"] = entry.scan.propagation
    _numbers(group, {"focus_distance": entry.lookup("scan.focus_distance")}, "m")


def _write_beam(group: Any, entry: Entry) -> None:
    known = entry.canonical()
    source, beam = group["instrument_1/source_1"], group["instrument_1/beam_1"]
    for name in ("name", "type", "probe"):
        told = entry.lookup(f"instrument.source.{name}")
        if told:
            source[name] = told
    ring = entry.lookup("instrument.source.energy")
    _numbers(source, {"energy": ring and ring * _JOULE}, "J")
    # CXI looks here for the light, since the energy of NeXus is that of the ring.
    _numbers(source, {"wavelength": known.get("wavelength")}, "m")
    energy = known.get("energy")
    joule = energy and energy * _JOULE
    _numbers(beam, {"energy": joule, "incident_beam_energy": joule}, "J")
    spread = entry.lookup("instrument.beam.incident_energy_spread")
    _numbers(beam, {"incident_energy_spread": spread and spread * _JOULE}, "J")


def _numbers(group: Any, values: Mapping[str, Any], unit: str) -> None:
    for name, value in values.items():
        if value is not None:
            group[name] = float(value)
            group[name].attrs["units"] = unit


def _write_detector(group: Any, entry: Entry, copy: Copy) -> None:
    import numpy as np

    detector, found = group[_DETECTOR], entry.lookup("instrument.detector")
    frames: LazyArray = copy.open_array(found.data)
    if found.zero_frequency == "corner" or found.amplitudes:
        frames = CentredFrames(
            frames, corner=found.zero_frequency == "corner", roots=bool(found.amplitudes)
        )
    copy.array(detector, "data", frames, unit="counts")
    detector.attrs["signal"], detector.attrs["axes"] = "data", "[, data]"
    names = ("distance", "x_pixel_size", "y_pixel_size")
    _numbers(detector, {name: getattr(found, name) for name in names}, "m")
    rows, columns = found.y_pixel_size, found.x_pixel_size
    if rows and columns:
        basis = np.array([[0.0, -columns], [-rows, 0.0], [0.0, 0.0]])
        detector["basis_vectors"] = basis
        detector["basis_vectors"].attrs["units"] = "m"
    if found.pixel_mask is not None:
        from lightwell_ptychography.products import mask_of

        size = frames.shape[1:]
        mask = np.asarray(mask_of(entry, size, copy.open_array) == 0, np.uint32)
        if found.zero_frequency == "corner":
            mask = np.fft.fftshift(mask)
        copy.array(detector, "mask", ArrayInMemory(mask))


def _write_positions(group: Any, moved: Any) -> None:
    detector = group[_DETECTOR]
    detector["translation"] = moved
    attributes = detector["translation"].attrs
    attributes["units"], attributes["axes"] = "m", "translation:y:x"
    attributes["interpretation"] = "image"
    place = detector.name + "/translation"
    attributes["target"] = place
    group["data_1/translation"] = soft_link(place)
    group["sample_1/geometry_1/translation"] = soft_link(place)
    turned = detector.create_group("transformations")
    turned.attrs["NX_class"] = "NXtransformations"
    turned["vector"] = [0.0, 0.0, 1.0]
    axes = group["sample_1/transformations"]
    for name, column, vector in (("x", 0, [1.0, 0.0, 0.0]), ("y", 1, [0.0, 1.0, 0.0])):
        axes[name] = moved[:, column]
        axes[name].attrs.update({"units": "m", "vector": vector, "depends_on": "."})
        axes[name].attrs["transformation_type"] = "translation"
    axes["y"].attrs["depends_on"] = "x"


def _write_plot(group: Any) -> None:
    data = group[_DETECTOR]["data"]
    data.attrs["target"] = data.name
    group["data_1/data"] = soft_link(data.name)
    group[_DETECTOR]["data_1"] = soft_link(data.name)
    plot = group["data"]
    plot["data"] = soft_link(data.name)
    plot.attrs["signal"], plot.attrs["axes"] = "data", ["x", ".", "."]
    for name in ("x", "y"):
        target = group[f"sample_1/transformations/{name}"]
        target.attrs["target"] = target.name
        plot[name] = soft_link(target.name)
        plot.attrs[f"{name}_indices"] = 0
