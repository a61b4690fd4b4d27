"""Wording shared by messages: the nearest known name."""

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, or list them.

    >>> nearest("rotaxis", ["rotation_axis", "filter"])
    "Did you mean 'rotation_axis'? Known are: filter, rotation_axis"
    >>> nearest("x", [])
    'There are none'
    """
    names = sorted(known)
    if not names:
        return "There are none"
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listing = "Known are: " + ", ".join(names)
    return f"Did you mean '{close[0]}'? {listing}" if close else listing
