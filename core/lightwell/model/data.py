"""What to plot: signals over axes."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from lightwell.model.arrays import ArrayRef
from lightwell.model.base import Group, GroupName

__all__ = ["Data"]


class Data(Group):
    """Arrays to plot together (NXdata): `fields[signal]` over the fields named by `axes`.

    `axes` names one field per dimension of the signal, "." where there is none; `indices` says
    which dimensions an axis spans where that is not its place in `axes`.
    """

    nx_class: ClassVar[str] = "NXdata"
    not_in_nexus: ClassVar[frozenset[str]] = Group.not_in_nexus | {
        "signal",
        "auxiliary_signals",
        "axes",
        "indices",
        "fields",
        "long_names",
        "interpretation",
    }

    title: str | None = None
    signal: str | None = None
    auxiliary_signals: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    indices: Mapping[str, tuple[int, ...]] = Field(default_factory=dict)
    fields: Mapping[GroupName, ArrayRef] = Field(default_factory=dict)
    long_names: Mapping[str, str] = Field(default_factory=dict)
    interpretation: str | None = None

    @model_validator(mode="after")
    def _fields_do_not_hide_the_title(self) -> Self:
        if self.title is not None and "title" in self.fields:
            raise ValueError("a field cannot be called 'title' beside the title of the data")
        return self
