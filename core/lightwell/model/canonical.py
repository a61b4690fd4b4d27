"""The few fields that every schema can be searched by, wherever its definition keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["CANONICAL_FIELDS", "CanonicalField"]


@dataclass(frozen=True, slots=True)
class CanonicalField:
    """A search field: the kind of its values, their unit and what it means."""

    kind: Literal["text", "number", "time"]
    meaning: str
    unit: str | None = None


CANONICAL_FIELDS: Mapping[str, CanonicalField] = MappingProxyType(
    {
        "title": CanonicalField("text", "title of the measurement"),
        "definition": CanonicalField("text", "NeXus application definition"),
        "description": CanonicalField("text", "description of the experiment"),
        "technique": CanonicalField("text", "experimental technique (PaNET label)"),
        "technique_id": CanonicalField("text", "experimental technique (PaNET identifier)"),
        "facility": CanonicalField("text", "facility or source"),
        "beamline": CanonicalField("text", "beamline or instrument"),
        "proposal": CanonicalField("text", "proposal or experiment identifier"),
        "scan": CanonicalField("text", "the facility's identifier of the scan"),
        "user": CanonicalField("text", "name of the first user"),
        "sample": CanonicalField("text", "name of the sample"),
        "chemical_formula": CanonicalField("text", "chemical formula of the sample"),
        "temperature": CanonicalField("number", "temperature of the sample", "K"),
        "start_time": CanonicalField("time", "start of the measurement"),
        "end_time": CanonicalField("time", "end of the measurement"),
        "energy": CanonicalField("number", "photon energy", "eV"),
        "wavelength": CanonicalField("number", "wavelength", "m"),
        "pixel_size": CanonicalField("number", "width of a detector pixel", "m"),
        "distance": CanonicalField("number", "distance from sample to detector", "m"),
        "exposure_time": CanonicalField("number", "exposure time of a frame", "s"),
        "detector": CanonicalField("text", "detector"),
        "program": CanonicalField("text", "program that made the result"),
    }
)
