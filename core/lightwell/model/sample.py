"""What was measured."""

from datetime import datetime
from typing import ClassVar

from lightwell.model.arrays import ArrayRef
from lightwell.model.base import Group
from lightwell.units import Degree, Gram, Kelvin, Metre, Pascal

__all__ = ["Sample"]


class Sample(Group):
    """The sample and how it stood in the beam (NXsample)."""

    nx_class: ClassVar[str] = "NXsample"

    name: str | None = None
    short_title: str | None = None
    description: str | None = None
    type: str | None = None
    situation: str | None = None
    physical_form: str | None = None
    chemical_formula: str | None = None
    preparation_date: datetime | None = None
    temperature: Kelvin | ArrayRef | None = None
    pressure: Pascal | ArrayRef | None = None
    mass: Gram | None = None
    thickness: Metre | None = None
    distance: Metre | None = None
    rotation_angle: Degree | ArrayRef | None = None
    x_translation: Metre | ArrayRef | None = None
    y_translation: Metre | ArrayRef | None = None
    z_translation: Metre | ArrayRef | None = None
