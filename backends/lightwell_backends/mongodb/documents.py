"""Catalog documents as MongoDB keeps them: the same, with keys it can search by."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from lightwell.catalog.documents import storable
from lightwell.catalog.fields import escape_key, stored_path
from lightwell.catalog.totals import share_of
from lightwell.catalog.words import document_words

__all__ = [
    "FILES",
    "FOLDS",
    "OWN",
    "RETIRED",
    "SHARE",
    "TERMS",
    "WRITE",
    "from_stored",
    "path_of",
    "to_stored",
]

TERMS: Final = "_terms"
"""The words a document is found by."""
FOLDS: Final = "_folds"
"""Path and folded text of every text that is not ASCII: a server folds cases otherwise."""
RETIRED: Final = "_retired"
"""Whether it is left out of searches; there also where the document does not say."""
FILES: Final = "_files"
"""The key of its list of files."""
SHARE: Final = "_share"
"""What it adds to the totals."""
WRITE: Final = "_write"
"""The number of the write it is of: an earlier one is not done again over it."""
OWN: Final = ("_id", TERMS, FOLDS, RETIRED, FILES, SHARE, WRITE)

_NOTHING: Final = "%"  # followed by no digits, which no other key is


def stored_name(key: str) -> str:
    r"""Return a key as MongoDB keeps it.

    >>> stored_name("a.b"), stored_name("$id"), stored_name("7"), stored_name(""), stored_name("µ")
    ('a%2Eb', '%24id', '%37', '%', 'µ')

    Beside what no store keeps, a number would be taken for a place in a list, and a key cannot
    be empty nor hold a zero character.
    """
    name = escape_key(key).replace("\0", "%00")
    if not name:
        return _NOTHING
    return f"%3{name[0]}{name[1:]}" if name.isdigit() and name.isascii() else name


def _key(name: str) -> str:
    return "" if name == _NOTHING else unquote(name)


def path_of(field: str) -> str:
    """Return where a field stands in a stored document.

    >>> path_of("energy"), path_of("original./exchange/theta.units")
    ('canonical.energy', 'entry.original./exchange/theta%2Eunits.value')
    """
    return ".".join(map(stored_name, stored_path(field)))


def to_stored(document: Mapping[str, Any], files: str | None) -> dict[str, Any]:
    """Return a document as it is stored; raises `ParameterError` for what no store could keep."""
    kept = storable(document)
    return {
        "_id": kept["pid"],
        **_renamed(kept, stored_name),
        TERMS: sorted(document_words(kept)),
        FOLDS: [{"path": path, "text": text} for path, text in sorted(set(_folds(kept, "")))],
        RETIRED: bool(kept.get("retired")),
        FILES: files,
        SHARE: share_of(kept)._asdict(),
        WRITE: 0,
    }


def from_stored(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a stored one."""
    own = {name: value for name, value in stored.items() if name not in OWN}
    found: dict[str, Any] = _renamed(own, _key)
    return found


def _renamed(value: Any, name: Any) -> Any:
    if isinstance(value, Mapping):
        return {name(key): _renamed(child, name) for key, child in value.items()}
    if isinstance(value, list):
        return [_renamed(child, name) for child in value]
    return value


def _folds(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield path and folded text of every text that is not ASCII; lists in lists are closed."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _folds(child, f"{path}.{stored_name(key)}" if path else stored_name(key))
    elif isinstance(value, list):
        for child in value:
            if not isinstance(child, list):
                yield from _folds(child, path)
    elif isinstance(value, str) and not value.isascii():
        yield path, value.casefold()
