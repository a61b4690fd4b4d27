"""What every class of the model shares: frozen, NeXus names, unknown keys kept when reading."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    cast,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from typing_extensions import dataclass_transform

from lightwell.units import Unit

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    # The metaclass is private by name only; at run time it needs no private import.
    ModelMetaclass = type(BaseModel)

__all__ = ["KEEP_UNKNOWN", "Frozen", "Group", "GroupName", "Member", "members"]

#: Validation context that keeps unknown keys of a document instead of refusing them.
KEEP_UNKNOWN: Mapping[str, Any] = MappingProxyType({"keep_unknown": True})

#: The name of a group in an HDF5 file; "." would be the group it stands in.
GroupName = Annotated[
    str, StringConstraints(min_length=1, pattern=r"^([^./\x00]|\.[^/\x00])[^/\x00]*$")
]


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class _FrozenMeta(ModelMetaclass):
    """Tells type checkers that instances are frozen, so that a subclass may narrow a field."""


class Frozen(BaseModel, metaclass=_FrozenMeta):
    """An immutable value: keyword-only, unknown names refused, NaN and infinity refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, polymorphic_serialization=True
    )


class Group(Frozen):
    """A NeXus group; each field is a NeXus field or group of the same name.

    `group_name` is the group's name in the file where it differs from the field's, `unknown`
    what a document held under names that the installed classes do not know.
    """

    nx_class: ClassVar[str] = "NXobject"
    #: Fields that are no NeXus field or group of their own.
    not_in_nexus: ClassVar[frozenset[str]] = frozenset({"group_name", "unknown"})

    group_name: GroupName | None = None
    unknown: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _set_unknown_aside(cls, data: Any, info: ValidationInfo) -> Any:
        """Move keys that are no field to `unknown`, if the context says so."""
        if not isinstance(data, Mapping) or not (info.context or {}).get("keep_unknown"):
            return data
        names = cls._document_names()
        strange = {key: value for key, value in data.items() if key not in names}
        if not strange:
            return data
        known = {key: value for key, value in data.items() if key in names}
        return {**known, "unknown": {**known.get("unknown", {}), **strange}}

    @model_validator(mode="after")
    def _names_stand_once(self) -> Self:
        """Refuse two members that would have one name in a file."""
        names = [name for name, _, _ in self.children()]
        values = {m.name for m in members(type(self)) if m.kind == "value"}
        twice = {name for name in names if names.count(name) > 1 or name in values}
        if twice:
            raise ValueError(f"two members of {type(self).__name__} have the name {min(twice)!r}")
        return self

    @model_serializer(mode="wrap")
    def _serialise(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out empty mappings and sequences; put unknown keys back where they stood."""
        dumped: dict[str, Any] = handler(self)
        # Only what is empty by default: an empty group or list elsewhere says something.
        empty = {n for n, info in type(self).model_fields.items() if info.default is not None}
        left_out = {"unknown", *(n for n in empty if not getattr(self, n))}
        kept = {name: value for name, value in dumped.items() if name not in left_out}
        return {**self._document_head(), **kept, **self.unknown}

    def _document_head(self) -> dict[str, Any]:
        """Return what a document of this class says beyond its fields."""
        return {}

    @classmethod
    def _document_names(cls) -> set[str]:
        """Return the keys that a document of this class may have."""
        return set(cls.model_fields)

    def children(self) -> Iterator[tuple[str, "Member", "Group"]]:
        """Yield the groups in this one: name in a file, member of the model, group."""
        for member in members(type(self)):
            value = getattr(self, member.name)
            if isinstance(value, Group):
                yield value.group_name or member.name, member, value
            elif member.kind == "groups" and isinstance(value, Mapping):
                for name, child in value.items():
                    yield name, member, child

    def lookup(self, path: str) -> Any:
        """Return what stands at a dotted path, or None where nothing does.

        >>> Group(group_name="entry").lookup("group_name")
        'entry'
        """
        value: Any = self
        for name in path.split("."):
            if isinstance(value, Mapping):
                value = value.get(name)
            elif isinstance(value, BaseModel) and name in type(value).model_fields:
                value = getattr(value, name)
            else:
                return None
        return value


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a model class: a value, one group, or several groups by name."""

    name: str
    kind: Literal["value", "group", "groups"]
    group: type[Group] | None = None
    unit: str | None = None
    types: frozenset[type] = frozenset()
    many: bool = False


def members(cls: type[Group]) -> tuple[Member, ...]:
    """Return the NeXus fields and groups of a model class, in order of definition."""
    # A class is hashable whatever its instances are; pyright takes the one for the other.
    return _members(cast("Any", cls))


@cache
def _members(cls: type[Group]) -> tuple[Member, ...]:
    fields = cls.model_fields.items()
    return tuple(
        _member(name, [info.annotation, *info.metadata])
        for name, info in fields
        if name not in cls.not_in_nexus
    )


def _member(name: str, annotation: list[Any]) -> Member:
    """Return what an annotation says: the types in it, the unit, whether it holds several."""
    parts = [part for one in annotation for part in _parts(one)]
    groups = [part for part in parts if isinstance(part, type) and issubclass(part, Group)]
    if groups:
        kind: Literal["group", "groups"] = "groups" if Mapping in parts else "group"
        return Member(name, kind, groups[0])
    unit = next((part.unit for part in parts if isinstance(part, Unit)), None)
    types = frozenset(part for part in parts if isinstance(part, type) and part is not type(None))
    return Member(name, "value", None, unit, types - {tuple}, tuple in types)


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the classes and metadata in an annotation: unions, Annotated, tuples, mappings."""
    origin = get_origin(annotation)
    if origin in (tuple, Mapping):
        yield origin
    if origin is None:
        yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
