"""The description of one measurement or result."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from lightwell.errors import InputError
from lightwell.model.base import KEEP_UNKNOWN, Frozen, Group, GroupName
from lightwell.model.data import Data
from lightwell.model.instrument import Instrument, Monitor
from lightwell.model.process import Cite, Note, Parameters, Process, Scalar
from lightwell.model.sample import Sample
from lightwell.model.user import User
from lightwell.units import energy_from_wavelength, wavelength_from_energy

__all__ = ["Entry", "Flag", "Original", "Technique", "entry_from_document"]

SHORT = 16


class Original(Frozen):
    """A value as it stood in the file, with its unit; `field` is where the model keeps it."""

    value: Scalar | Annotated[tuple[Scalar, ...], Field(max_length=SHORT)]
    unit: str | None = None
    field: str | None = None


class Flag(Frozen):
    """Something a reader of the entry should know: a short code, a sentence, a place."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    message: str
    path: str | None = None


class Technique(Group):
    """The experimental technique, by label and identifier in the PaNET ontology."""

    nx_class: ClassVar[str] = "NXcollection"

    label: str | None = None
    identifier: str | None = None


class Entry(Group):
    """One measurement or result (NXentry); application definitions are subclasses.

    `class Tomography(Entry, definition="NXtomo")` sets `Tomography.definition`. `original` keeps
    every value read from the files under its own key, mapped to the model or not.
    """

    nx_class: ClassVar[str] = "NXentry"
    not_in_nexus: ClassVar[frozenset[str]] = Group.not_in_nexus | {"original", "flags", "default"}
    definition: ClassVar[str | None] = None

    title: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    experiment_identifier: str | None = None
    experiment_description: str | None = None
    entry_identifier: str | None = None
    collection_identifier: str | None = None
    program_name: str | None = None
    technique: Technique | None = None
    instrument: Instrument | None = None
    sample: Sample | None = None
    users: Mapping[GroupName, User] = Field(default_factory=dict)
    monitors: Mapping[GroupName, Monitor] = Field(default_factory=dict)
    process: Mapping[GroupName, Process] = Field(default_factory=dict)
    parameters: Mapping[GroupName, Parameters] = Field(default_factory=dict)
    cites: Mapping[GroupName, Cite] = Field(default_factory=dict)
    notes: Mapping[GroupName, Note] = Field(default_factory=dict)
    data: Mapping[GroupName, Data] = Field(default_factory=dict)
    subentries: Mapping[GroupName, "Entry"] = Field(default_factory=dict)
    default: str | None = None
    original: Mapping[str, Original] = Field(default_factory=dict, repr=False)
    flags: tuple[Flag, ...] = ()

    def __init_subclass__(cls, definition: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if definition is not None:
            cls.definition = definition

    @property
    def definition_name(self) -> str | None:
        """The application definition, also of an entry whose class is not installed."""
        found = self.definition or self.unknown.get("definition")
        return found if isinstance(found, str) else None

    @model_validator(mode="before")
    @classmethod
    def _definition_is_ours(cls, data: Any, info: ValidationInfo) -> Any:
        """Take `definition` out of a document; refuse one of another class."""
        if not isinstance(data, Mapping) or data.get("definition") is None:
            return data
        if data["definition"] == cls.definition:
            return {key: value for key, value in data.items() if key != "definition"}
        if (info.context or {}).get("keep_unknown"):
            return data
        mine = cls.definition or "no definition"
        raise ValueError(f"the document says {data['definition']}, {cls.__name__} says {mine}")

    @model_validator(mode="wrap")
    @classmethod
    def _as_its_own_class(cls, data: Any, handler: Any, info: ValidationInfo) -> Any:
        """Open a subentry's document with the class of its definition, where one is given."""
        schemas = (info.context or {}).get("schemas", {})
        wanted = schemas.get(data.get("definition")) if isinstance(data, Mapping) else None
        if wanted is None or wanted is cls or not issubclass(wanted, cls):
            return handler(data)
        return wanted.model_validate(data, context=info.context)

    def _document_head(self) -> dict[str, Any]:
        return {"definition": self.definition} if self.definition else {}

    def document(self) -> dict[str, Any]:
        """Return the entry as JSON values: what the catalog keeps and a result file carries."""
        return self.model_dump(mode="json", exclude_none=True)

    def with_flags(self, *flags: Flag) -> Self:
        """Return the entry with more flags, each once."""
        return self.model_copy(update={"flags": tuple(dict.fromkeys((*self.flags, *flags)))})

    def canonical(self) -> Mapping[str, Any]:
        """Return the search fields this entry has values for (see CANONICAL_FIELDS).

        A subclass whose definition keeps one elsewhere returns `{**super().canonical(), …}`.
        """
        energy, wavelength = self._energy_and_wavelength()
        detector = self.lookup("instrument.detector")
        found = {
            "title": self.title,
            "definition": self.definition_name,
            "description": self.experiment_description,
            "technique": self.lookup("technique.label"),
            "technique_id": self.lookup("technique.identifier"),
            "facility": self.lookup("instrument.source.name"),
            "beamline": self.lookup("instrument.beamline") or self.lookup("instrument.name"),
            "proposal": self.experiment_identifier,
            "scan": self.entry_identifier,
            "user": next((user.name for user in self.users.values() if user.name), None),
            "sample": self.lookup("sample.name"),
            "chemical_formula": self.lookup("sample.chemical_formula"),
            "temperature": self.lookup("sample.temperature"),
            "start_time": self.start_time,
            "end_time": self.end_time,
            "energy": energy,
            "wavelength": wavelength,
            "pixel_size": self.lookup("instrument.detector.x_pixel_size"),
            "distance": self.lookup("instrument.detector.distance"),
            "exposure_time": self.lookup("instrument.detector.count_time"),
            "detector": (detector.description or detector.local_name) if detector else None,
            "program": next((p.program for p in self.process.values() if p.program), None),
        }
        plain = str | int | float | datetime
        return {key: value for key, value in found.items() if isinstance(value, plain)}

    def kinds_of_frames(self) -> tuple[str, Mapping[int, str]] | None:
        """Return where the array stands that says what each frame shows, and its values in words.

        None where the definition does not tell frames apart.
        """
        return None

    def lookup(self, path: str) -> Any:
        """Return what stands at a dotted path of the model, or None where nothing does.

        `canonical.energy` is a search field, `instrument.detector.data` a field of the model
        (arrays give their ArrayRef), `original.KEY` a value of the file by its own key.
        """
        first, _, rest = path.partition(".")
        if first == "canonical":
            return self.canonical().get(rest)
        if first == "original":
            original = self.original.get(rest)
            return original.value if original else None
        if path == "definition":
            return self.definition_name
        return super().lookup(path)

    def _energy_and_wavelength(self) -> tuple[float | None, float | None]:
        """Return photon energy and wavelength, each from the other if only one is known."""
        energy = self._number("instrument.monochromator.energy", "instrument.beam.incident_energy")
        wavelength = self._number(
            "instrument.monochromator.wavelength", "instrument.beam.incident_wavelength"
        )
        if energy is None and wavelength:
            energy = energy_from_wavelength(wavelength)
        if wavelength is None and energy:
            wavelength = wavelength_from_energy(energy)
        return energy, wavelength

    def _number(self, *paths: str) -> float | None:
        """Return the first single number at one of the paths."""
        found = (self.lookup(path) for path in paths)
        return next((value for value in found if isinstance(value, float)), None)


def entry_from_document(
    document: Mapping[str, Any], schemas: Mapping[str, type[Entry]] | None = None
) -> Entry:
    """Return the entry of a document, as the class of its definition if that is installed.

    Names that the class does not know, and values it cannot hold, are kept under `unknown` and
    written again by `document()`. Raises InputError if the document is no entry at all.
    """
    schemas = schemas or {}
    if not isinstance(document, Mapping):
        raise InputError("the document is not a mapping", remedy="Give an entry's document")
    schema = schemas.get(str(document.get("definition")), Entry)
    context = {**KEEP_UNKNOWN, "schemas": schemas}
    known, aside = dict(document), dict[str, Any]()
    while True:
        try:
            return schema.model_validate(
                {**known, "unknown": aside} if aside else known, context=context
            )
        except ValidationError as error:
            # A field that another version of a plugin wrote must not lock the dataset away.
            wrong = {str(e["loc"][0]) for e in error.errors() if e["loc"]} & set(known)
            if not wrong:
                raise InputError(f"the document is no entry: {error}") from None
            aside |= {name: known.pop(name) for name in wrong}
