"""Who measured."""

from typing import ClassVar

from lightwell.model.base import Group

__all__ = ["User"]


class User(Group):
    """A person of the experiment (NXuser)."""

    nx_class: ClassVar[str] = "NXuser"

    name: str | None = None
    role: str | None = None
    affiliation: str | None = None
    address: str | None = None
    telephone_number: str | None = None
    email: str | None = None
    facility_user_id: str | None = None
    ORCID: str | None = None
