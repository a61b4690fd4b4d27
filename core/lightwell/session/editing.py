"""Values corrected in many datasets at once: whatever a query finds, one revision each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lightwell.catalog import Catalog, Query, where
from lightwell.datasets import Dataset
from lightwell.errors import Conflict, LightwellError, NotAllowed, NotFound, ParameterError
from lightwell.model import Entry
from lightwell.model.base import Group, Member, members
from lightwell.units import read_quantity
from lightwell.users import User
from lightwell.words import nearest

__all__ = ["Edited", "edit", "edited_dataset"]

_AT_ONCE: Final = 200
_ATTEMPTS: Final = 5
_SHOWN: Final = 20

PLACES: Final[Mapping[str, str]] = {
    "sample": "sample.name",
    "description": "experiment_description",
    "technique": "technique.label",
    "technique_id": "technique.identifier",
    "facility": "instrument.source.name",
    "beamline": "instrument.beamline",
    "chemical_formula": "sample.chemical_formula",
    "temperature": "sample.temperature",
}
"""Search fields that can be set, and where an entry keeps them."""


@dataclass
class Edited:
    """What was changed, or would be; before : pid -> field -> what stood there, of some of them.

    found : datasets the query is true of; refused : pid -> why, where it was not changed.
    """

    found: int = 0
    changed: int = 0
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False


def edit(
    catalog: Catalog,
    query: Query,
    values: Mapping[str, Any],
    *,
    by: User,
    why: str,
    schemas: Mapping[str, type[Entry]],
    dry_run: bool,
) -> Edited:
    """Set fields of every dataset a query is true of that is not retired.

    Each is one transaction with its event, so that an edit that was interrupted is completed by
    the same call. One that somebody changed meanwhile is read again, and left alone if the query
    is no longer true of it.
    Errors: ParameterError, UnitError for a field or value that the first of them cannot have; then
    nothing is changed.
    """
    if not values:
        raise ParameterError("nothing is to be changed", remedy="Give --set FIELD=VALUE")
    report = Edited(dry_run=dry_run)
    for dataset in _found(catalog, query):
        report.found += 1
        try:
            changed = edited_dataset(dataset, values, schemas) != dataset
            if changed and not dry_run:
                changed = _written(catalog, query, dataset, values, by, why, schemas)
        except LightwellError as error:
            if report.found == 1 and not isinstance(error, NotAllowed):
                raise
            report.refused[dataset.pid] = str(error)
            continue
        report.changed += changed
        if changed and len(report.before) < _SHOWN:
            report.before[dataset.pid] = {name: _value(dataset, name) for name in values}
    return report


def _value(dataset: Dataset, name: str) -> Any:
    return dataset.proposal if name == "proposal" else dataset.entry.lookup(PLACES.get(name, name))


def _found(catalog: Catalog, query: Query) -> Iterator[Dataset]:
    cursor = None
    while True:
        page = catalog.find(query, limit=_AT_ONCE, cursor=cursor)
        yield from page
        cursor = page.cursor
        if cursor is None:
            return


def _written(
    catalog: Catalog,
    query: Query,
    dataset: Dataset,
    values: Mapping[str, Any],
    by: User,
    why: str,
    schemas: Mapping[str, type[Entry]],
) -> bool:
    """Write the change on top of the newest revision; False if it is no longer wanted."""
    for _ in range(_ATTEMPTS):
        try:
            catalog.update(edited_dataset(dataset, values, schemas), by=by, why=why)
        except Conflict:
            again = catalog.find(query & (where("pid") == dataset.pid), limit=1).datasets
            if not again:
                return False
            [dataset] = again
            if edited_dataset(dataset, values, schemas) == dataset:
                return False
        except NotFound:
            return False
        else:
            return True
    raise Conflict(
        f"{dataset.pid} was changed by others at every attempt",
        remedy="Repeat it when less is going on",
    )


def edited_dataset(
    dataset: Dataset, values: Mapping[str, Any], schemas: Mapping[str, type[Entry]]
) -> Dataset:
    """Return a dataset with fields set; text is read as what the field holds, units too.

    Errors: ParameterError with the nearest name for a field that there is not, or a value it
    cannot hold; UnitError.
    """
    document = dataset.to_document()
    for name, value in values.items():
        for (*groups, last), kept in _places(name, value, type(dataset.entry)):
            inside = document
            for key in groups:
                inside[key] = dict(inside.get(key) or {})
                inside = inside[key]
            inside[last] = kept
    made = Dataset.from_document(document, schemas)
    for name in values:
        if _value(made, name) is None:
            raise ParameterError(f"{name} cannot be {values[name]!r}", where=dataset.pid)
    return made


def _places(name: str, value: Any, schema: type[Entry]) -> list[tuple[tuple[str, ...], Any]]:
    """Return the places of a document that a field is, with the value they hold."""
    if name == "proposal":
        if not isinstance(value, str) or not value:
            raise ParameterError("a proposal is a text")
        return [(("proposal",), value), (("entry", "experiment_identifier"), value)]
    path = tuple(PLACES.get(name, name).split("."))
    return [(("entry", *path), _converted(name, value, _member(schema, path, name)))]


def _member(schema: type[Group], path: tuple[str, ...], name: str) -> Member:
    """Return the field of the model that a path leads to."""
    group: type[Group] = schema
    rest = list(path)
    while rest:
        key = rest.pop(0)
        found = next((each for each in members(group) if each.name == key), None)
        if found is None:
            known = {each.name for each in members(group)}
            known |= {*PLACES, "proposal"} if group is schema else set()
            raise ParameterError(f"there is no field {name} to set", remedy=nearest(key, known))
        if found.kind == "value" and not rest:
            return found
        if found.group is None or not rest:
            break
        group = found.group
        if found.kind == "groups":
            rest.pop(0)
    raise ParameterError(f"{name} is a group, not a value", remedy="Name a field inside it")


def _converted(name: str, value: Any, member: Member) -> Any:
    """Return a value as a document holds it: a quantity in its unit, text as text."""
    if not isinstance(value, str):
        return value
    if member.unit is not None:
        return read_quantity(value, member.unit)
    if member.many or not member.types & {str, int, float, bool, datetime}:
        raise ParameterError(f"{name} does not hold one value")
    if str in member.types or datetime in member.types:
        return value
    if bool in member.types and value in ("true", "false"):
        return value == "true"
    try:
        return int(value) if int in member.types else float(value)
    except ValueError:
        raise ParameterError(f"{name} holds a number, and {value!r} is none") from None
