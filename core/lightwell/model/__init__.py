"""The model: a frozen class per NeXus base class, NeXus names, units in the type."""

from lightwell.model.arrays import ArrayRef, ConstantPart, EvenPart, FilePart
from lightwell.model.base import Group
from lightwell.model.canonical import CANONICAL_FIELDS, CanonicalField
from lightwell.model.data import Data
from lightwell.model.entry import Entry, Flag, Original, Technique, entry_from_document
from lightwell.model.instrument import (
    Aperture,
    Attenuator,
    Beam,
    BeamStop,
    Collimator,
    Crystal,
    Detector,
    InsertionDevice,
    Instrument,
    Monitor,
    Monochromator,
    Positioner,
    Source,
)
from lightwell.model.process import Cite, Note, Parameter, Parameters, Process
from lightwell.model.sample import Sample
from lightwell.model.user import User

__all__ = [
    "CANONICAL_FIELDS",
    "Aperture",
    "ArrayRef",
    "Attenuator",
    "Beam",
    "BeamStop",
    "CanonicalField",
    "Cite",
    "Collimator",
    "ConstantPart",
    "Crystal",
    "Data",
    "Detector",
    "Entry",
    "EvenPart",
    "FilePart",
    "Flag",
    "Group",
    "InsertionDevice",
    "Instrument",
    "Monitor",
    "Monochromator",
    "Note",
    "Original",
    "Parameter",
    "Parameters",
    "Positioner",
    "Process",
    "Sample",
    "Source",
    "Technique",
    "User",
    "entry_from_document",
]
