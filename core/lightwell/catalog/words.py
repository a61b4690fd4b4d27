"""Text cut into the words a search compares."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from lightwell.catalog.fields import TEXT_ROOTS

__all__ = ["document_words", "search_words", "words_of"]

_RUN: Final = re.compile(r"[^\W_]+")
_PIECE: Final = re.compile(r"\d+|\D+")
_LONGEST_WORD: Final = 64


def _runs(text: str) -> list[str]:
    """Return the runs of letters and digits, without accents and in one case."""
    if text.isascii():
        plain = text.lower()
    else:
        plain = unicodedata.normalize("NFKD", text).casefold()
        plain = "".join(each for each in plain if unicodedata.category(each) != "Mn")
    return [run[:_LONGEST_WORD] for run in _RUN.findall(plain)]


@lru_cache(maxsize=10_000)
def words_of(text: str) -> frozenset[str]:
    """Return the words a text is found by: its runs, and their letters and numbers apart.

    >>> sorted(words_of("20130713_Chilarchaea_F_scan042b.h5"))
    ['042', '20130713', '42', '5', 'b', 'chilarchaea', 'f', 'h', 'h5', 'scan', 'scan042b']
    """
    words: set[str] = set()
    for run in _runs(text):
        words.add(run)
        for piece in _PIECE.findall(run):
            words.add(piece)
            words.add(piece.lstrip("0") or piece)
    return frozenset(words)


def search_words(text: str) -> tuple[str, ...]:
    """Return the beginnings of words a search asks for, each of which must be found.

    >>> search_words("Chilarch 20130713_quellon")
    ('chilarch', '20130713', 'quellon')
    """
    return tuple(dict.fromkeys(_runs(text)))


def document_words(document: Mapping[str, Any]) -> set[str]:
    """Return all words a catalog document is found by."""
    found: set[str] = set()
    for root in TEXT_ROOTS:
        _add_words(found, document.get(root))
    return found


def _add_words(found: set[str], value: Any) -> None:
    if isinstance(value, str):
        found |= words_of(value)
    elif isinstance(value, dict):
        for child in value.values():
            _add_words(found, child)
    elif isinstance(value, list | tuple):
        for child in value:
            _add_words(found, child)
