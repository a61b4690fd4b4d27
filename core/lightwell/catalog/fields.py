"""Names people search by, where the document keeps them, and the unit they are in."""

import re
from functools import lru_cache
from typing import Final

from lightwell.errors import ParameterError
from lightwell.model.canonical import CANONICAL_FIELDS

__all__ = [
    "PROMOTED",
    "TEXT_ROOTS",
    "escape_key",
    "is_time",
    "stored_key",
    "stored_path",
    "unit_of",
]

PROMOTED: Final = (
    "pid",
    "kind",
    "definition",
    "importer",
    "owner",
    "proposal",
    "path",
    "created",
)
"""Fields of the dataset itself that are one text or missing; they get columns of their own."""

_DATASET_FIELDS: Final = frozenset(
    {*PROMOTED, "entry_name", "flags", "retired", "superseded_by", "derived_from"}
    | {"manifest", "replicas", "options", "job", "access", "frames"}
)

TEXT_ROOTS: Final = ("pid", "definition", "path", "owner", "proposal", "canonical", "entry")
"""The parts of a document that a search for words looks into (not digests, not parameters)."""

_SEPARATOR: Final = re.compile(r"(?<!\\)\.")
_LONGEST_FIELD: Final = 500


@lru_cache(maxsize=4096)
def stored_path(field: str) -> tuple[str, ...]:
    r"""Return the keys that lead to a field inside a catalog document.

    One name is a field of the dataset, a canonical one or one of the entry, dotted names go into
    the entry, and after `original.` everything is one key, whose value is compared; elsewhere a
    dot inside a key is written `\.`.

    >>> stored_path("owner"), stored_path("energy"), stored_path("sample.name")
    (('owner',), ('canonical', 'energy'), ('entry', 'sample', 'name'))
    >>> stored_path("original./exchange/theta.units")
    ('entry', 'original', '/exchange/theta.units', 'value')

    Raises `ParameterError` for an empty name or part.
    """
    if field.startswith("original.") and len(field) <= _LONGEST_FIELD:
        return _checked(field, ("entry", "original", field.removeprefix("original."), "value"))
    keys = tuple(part.replace("\\.", ".") for part in _SEPARATOR.split(field))
    if keys[0] in _DATASET_FIELDS or (keys[0] in ("entry", "canonical") and len(keys) > 1):
        return _checked(field, keys)
    return _checked(field, ("canonical" if field in CANONICAL_FIELDS else "entry", *keys))


def _checked(field: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    if not all(keys) or len(field) > _LONGEST_FIELD:
        raise ParameterError(
            f"{field[:80]!r} is not the name of a field",
            remedy="Write e.g. energy, sample.name or original.KEY",
        )
    return keys


@lru_cache(maxsize=10_000)
def escape_key(key: str) -> str:
    """Return a key without dots and without a dollar in front, as every store keeps it.

    >>> escape_key("exchange.theta"), escape_key("$id"), escape_key("100%")
    ('exchange%2Etheta', '%24id', '100%25')
    """
    escaped = key.replace("%", "%25").replace(".", "%2E")
    return f"%24{escaped[1:]}" if escaped.startswith("$") else escaped


@lru_cache(maxsize=4096)
def stored_key(keys: tuple[str, ...]) -> str:
    """Return the path of keys as one text, the same in every store."""
    return ".".join(escape_key(key) for key in keys)


@lru_cache(maxsize=4096)
def unit_of(field: str) -> str | None:
    """Return the unit a field is kept in, or None if it has none of its own."""
    canonical = CANONICAL_FIELDS.get(field.removeprefix("canonical."))
    return canonical.unit if canonical and stored_path(field)[0] == "canonical" else None


@lru_cache(maxsize=4096)
def is_time(field: str) -> bool:
    """Tell whether a field holds moments, as text in UTC that sorts by time."""
    canonical = CANONICAL_FIELDS.get(field.removeprefix("canonical."))
    return field == "created" or (canonical is not None and canonical.kind == "time")
