"""The instrument: source, optics, detectors."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from lightwell.model.arrays import ArrayRef
from lightwell.model.base import Group, GroupName
from lightwell.units import (
    Ampere,
    Degree,
    ElectronVolt,
    Hertz,
    Kelvin,
    Metre,
    Pixel,
    Second,
    Unit,
    Watt,
)

__all__ = [
    "Aperture",
    "Attenuator",
    "Beam",
    "BeamStop",
    "Collimator",
    "Crystal",
    "Detector",
    "InsertionDevice",
    "Instrument",
    "Monitor",
    "Monochromator",
    "Positioner",
    "Source",
]

Value = float | ArrayRef


class Source(Group):
    """The storage ring or other source (NXsource); `name` is the facility's."""

    nx_class: ClassVar[str] = "NXsource"

    name: str | None = None
    type: str | None = None
    probe: str | None = None
    mode: str | None = None
    distance: Metre | None = None
    energy: ElectronVolt | None = None
    current: Ampere | ArrayRef | None = None
    power: Watt | None = None
    frequency: Hertz | None = None
    top_up: bool | None = None


class InsertionDevice(Group):
    """An undulator or wiggler (NXinsertion_device)."""

    nx_class: ClassVar[str] = "NXinsertion_device"

    type: str | None = None
    gap: Metre | None = None
    taper: Degree | None = None
    k: float | None = None
    harmonic: int | None = None


class Crystal(Group):
    """A crystal of a monochromator or analyser (NXcrystal)."""

    nx_class: ClassVar[str] = "NXcrystal"

    usage: str | None = None
    type: str | None = None
    chemical_formula: str | None = None
    reflection: tuple[int, ...] | None = None
    d_spacing: Metre | None = None
    bragg_angle: Degree | ArrayRef | None = None
    temperature: Kelvin | None = None


class Monochromator(Group):
    """The monochromator (NXmonochromator)."""

    nx_class: ClassVar[str] = "NXmonochromator"

    name: str | None = None
    description: str | None = None
    energy: ElectronVolt | ArrayRef | None = None
    energy_error: ElectronVolt | None = None
    wavelength: Metre | ArrayRef | None = None
    wavelength_error: Metre | None = None
    crystals: Mapping[GroupName, Crystal] = Field(default_factory=dict)


class Beam(Group):
    """The beam at one place (NXbeam)."""

    nx_class: ClassVar[str] = "NXbeam"

    distance: Metre | None = None
    incident_energy: ElectronVolt | ArrayRef | None = None
    incident_energy_spread: ElectronVolt | None = None
    incident_wavelength: Metre | ArrayRef | None = None
    incident_wavelength_spread: Metre | None = None
    extent: Annotated[tuple[float, ...], Unit("m")] | None = None
    incident_beam_divergence: Annotated[tuple[float, ...], Unit("degree")] | None = None
    flux: Annotated[float, Unit("1/s/m**2")] | ArrayRef | None = None
    pulse_energy: ElectronVolt | None = None


class Attenuator(Group):
    """A filter in the beam (NXattenuator)."""

    nx_class: ClassVar[str] = "NXattenuator"

    type: str | None = None
    distance: Metre | None = None
    thickness: Metre | None = None
    attenuator_transmission: float | None = None
    status: str | None = None


class Aperture(Group):
    """A slit or pinhole (NXaperture)."""

    nx_class: ClassVar[str] = "NXaperture"

    material: str | None = None
    description: str | None = None
    shape: str | None = None
    size: Metre | None = None


class Collimator(Group):
    """A collimator (NXcollimator)."""

    nx_class: ClassVar[str] = "NXcollimator"

    type: str | None = None
    soller_angle: Degree | None = None
    divergence_x: Degree | None = None
    divergence_y: Degree | None = None


class BeamStop(Group):
    """What protects the detector from the direct beam (NXbeam_stop)."""

    nx_class: ClassVar[str] = "NXbeam_stop"

    description: str | None = None
    size: Metre | None = None
    x: Metre | None = None
    y: Metre | None = None
    distance_to_detector: Metre | None = None
    status: str | None = None


class Monitor(Group):
    """A monitor of the incoming or transmitted beam (NXmonitor)."""

    nx_class: ClassVar[str] = "NXmonitor"

    mode: str | None = None
    type: str | None = None
    distance: Metre | None = None
    count_time: Second | ArrayRef | None = None
    preset: float | None = None
    integral: float | None = None
    data: Value | None = None


class Positioner(Group):
    """A motor (NXpositioner); `unit` is that of its values."""

    nx_class: ClassVar[str] = "NXpositioner"
    not_in_nexus: ClassVar[frozenset[str]] = Group.not_in_nexus | {"unit"}

    name: str | None = None
    description: str | None = None
    controller_record: str | None = None
    unit: str | None = None
    value: Value | None = None
    raw_value: Value | None = None
    target_value: Value | None = None


class Detector(Group):
    """A detector, its frames and its place (NXdetector).

    Beam centre and rotation axis are in pixels, 0 at the centre of the first pixel.
    """

    nx_class: ClassVar[str] = "NXdetector"

    description: str | None = None
    local_name: str | None = None
    serial_number: str | None = None
    type: str | None = None
    layout: str | None = None
    data: ArrayRef | None = None
    image_key: ArrayRef | None = None
    distance: Metre | ArrayRef | None = None
    x_pixel_size: Metre | None = None
    y_pixel_size: Metre | None = None
    beam_center_x: Pixel | None = None
    beam_center_y: Pixel | None = None
    x_rotation_axis_pixel_position: Pixel | None = None
    y_rotation_axis_pixel_position: Pixel | None = None
    polar_angle: Degree | ArrayRef | None = None
    azimuthal_angle: Degree | ArrayRef | None = None
    rotation_angle: Degree | ArrayRef | None = None
    count_time: Second | ArrayRef | None = None
    frame_time: Second | ArrayRef | None = None
    dead_time: Second | ArrayRef | None = None
    frame_start_number: int | None = None
    sequence_number: ArrayRef | None = None
    acquisition_mode: str | None = None
    gain_setting: str | None = None
    bit_depth_readout: int | None = None
    saturation_value: float | None = None
    underload_value: float | None = None
    threshold_energy: ElectronVolt | None = None
    sensor_material: str | None = None
    sensor_thickness: Metre | None = None
    pixel_mask: ArrayRef | None = None
    pixel_mask_applied: bool | None = None
    flatfield: ArrayRef | None = None
    flatfield_applied: bool | None = None


class Instrument(Group):
    """The beamline (NXinstrument); `detector` is the main one, `detectors` are the others."""

    nx_class: ClassVar[str] = "NXinstrument"

    name: str | None = None
    beamline: str | None = None
    source: Source | None = None
    insertion_device: InsertionDevice | None = None
    monochromator: Monochromator | None = None
    beam: Beam | None = None
    attenuators: Mapping[GroupName, Attenuator] = Field(default_factory=dict)
    apertures: Mapping[GroupName, Aperture] = Field(default_factory=dict)
    collimators: Mapping[GroupName, Collimator] = Field(default_factory=dict)
    beam_stop: BeamStop | None = None
    detector: Detector | None = None
    detectors: Mapping[GroupName, Detector] = Field(default_factory=dict)
    positioners: Mapping[GroupName, Positioner] = Field(default_factory=dict)
