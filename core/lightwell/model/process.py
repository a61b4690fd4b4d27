"""What was done to the data: programs, parameters, notes, citations."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from pydantic import Field, PositiveInt

from lightwell.model.base import Frozen, Group, GroupName
from lightwell.model.data import Data

__all__ = ["Cite", "Note", "Parameter", "Parameters", "Process", "Scalar"]

#: A value of a header or a parameter list, or a short list of them.
Scalar = bool | int | float | str


class Parameter(Frozen):
    """One named value with its unit."""

    value: Scalar | tuple[Scalar, ...]
    unit: str | None = None


class Parameters(Group):
    """Named values (NXparameters)."""

    nx_class: ClassVar[str] = "NXparameters"
    not_in_nexus: ClassVar[frozenset[str]] = Group.not_in_nexus | {"values"}

    values: Mapping[GroupName, Parameter] = Field(default_factory=dict)


class Note(Group):
    """A text or document kept with the data (NXnote); `type` is its media type."""

    nx_class: ClassVar[str] = "NXnote"

    author: str | None = None
    date: datetime | None = None
    type: str | None = None
    file_name: str | None = None
    description: str | None = None
    sequence_index: PositiveInt | None = None
    data: str | None = None


class Cite(Group):
    """A publication to cite (NXcite)."""

    nx_class: ClassVar[str] = "NXcite"

    description: str | None = None
    url: str | None = None
    doi: str | None = None
    endnote: str | None = None
    bibtex: str | None = None


class Process(Group):
    """One step of processing (NXprocess); `sequence_index` counts from 1."""

    nx_class: ClassVar[str] = "NXprocess"

    program: str | None = None
    version: str | None = None
    date: datetime | None = None
    sequence_index: PositiveInt | None = None
    parameters: Parameters | None = None
    notes: Mapping[GroupName, Note] = Field(default_factory=dict)
    cites: Mapping[GroupName, Cite] = Field(default_factory=dict)
    data: Mapping[GroupName, Data] = Field(default_factory=dict)
