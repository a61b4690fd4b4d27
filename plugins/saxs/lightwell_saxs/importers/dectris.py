"""What Dectris detectors write above an image: lines of ``# Key value unit``."""

import re
from typing import Any

from lightwell.nexus import Header
from lightwell_saxs.schema import ScatteringDetector

__all__ = ["DUMMY", "dectris_header", "detector_of", "has_dectris_header"]

_LINE = re.compile(rb"#\s*([A-Za-z_][\w ]*?)(?:\s*[:=]\s*|\s+)([^\r\n;]+)")
_KEYS = (b"# Pixel_size", b"# Silicon", b"# Exposure_time", b"# Detector: ")
_PIXEL = re.compile(r"([\d.eE+-]+)\s*m\s*x\s*([\d.eE+-]+)\s*m")
_PAIR = re.compile(r"\(\s*([\d.eE+-]+)\s*,\s*([\d.eE+-]+)\s*\)")
_HEAD = 16384

DUMMY: dict[str, Any] = {"dummy": -2.0, "delta_dummy": 1.5}
"""Gaps are -1, pixels that do not count -2."""


def has_dectris_header(head: bytes) -> bool:
    """Whether such lines stand in the beginning of a file."""
    return any(key in head[:_HEAD] for key in _KEYS)


def dectris_header(head: bytes) -> Header:
    """The lines as a header: every key as it is spelt, every value as text."""
    found: dict[str, tuple[Any, str | None]] = {}
    for key, value in _LINE.findall(head[:_HEAD]):
        name = key.decode("ascii", "replace").strip().replace(" ", "_")
        found.setdefault(name, (value.decode("utf-8", "replace").strip(" \0"), None))
    return Header(found)


def detector_of(header: Header, **known: Any) -> ScatteringDetector:
    """The detector the lines describe; a beam at (0, 0) was never set, nor is its distance."""
    place = "instrument.detector"
    size = _PIXEL.search(header.text("Pixel_size") or "")
    if size:
        header.record("Pixel_size", size[0], None, field=f"{place}.x_pixel_size")
    sensor = header.number("sensor_thickness", to="m")
    centre = _PAIR.search(header.text("Beam_xy") or "")
    beam = (float(centre[1]), float(centre[2])) if centre else (0.0, 0.0)
    is_set = beam != (0.0, 0.0)
    threshold = header.number("Threshold_setting", to="eV", field=f"{place}.threshold_energy")
    return ScatteringDetector(
        y_pixel_size=float(size[2]) if size else None,
        x_pixel_size=float(size[1]) if size else None,
        count_time=header.number("Exposure_time", to="s", field=f"{place}.count_time"),
        frame_time=header.number("Exposure_period", to="s", field=f"{place}.frame_time"),
        threshold_energy=threshold,
        sensor_thickness=sensor,
        distance=header.number("Detector_distance", to="m") if is_set else None,
        # Dectris counts from the corner of the first pixel, the model from its centre.
        beam_center_x=beam[0] - 0.5 if is_set else None,
        beam_center_y=beam[1] - 0.5 if is_set else None,
        **known,
    )
