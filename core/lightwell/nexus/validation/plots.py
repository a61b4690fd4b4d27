"""What is to be plotted: signal and axes of an NXdata, and the names that `default` gives."""

from collections.abc import Iterator, Mapping
from typing import Any

from lightwell.nexus.validation.findings import Finding, Scope
from lightwell.nexus.validation.tree import Array, Group, printable

__all__ = ["check_data", "check_default"]


def check_default(group: Group, path: str, scope: Scope) -> Iterator[Finding]:
    """Yield a finding if `default` names nothing; the name may be a path from here."""
    name = group.attributes.get("default")
    if not isinstance(name, str) or not name:
        return
    inner = name
    if name.startswith("/"):
        # Absolute on an entry: below itself, or it names another entry.
        inner = name.removeprefix(path.rstrip("/"))
    if group.find(inner) is None:
        child = group.children.get(inner)
        where = "a broken link" if child is not None and child.link != "hard" else "nothing here"
        yield scope.attribute("default").finding(
            "default-missing",
            path,
            f"The attribute default is {printable(name)!r}, which is {where}.",
            "Name the group or field that viewers show first.",
            severity="warning",
            found=name,
        )


def check_data(group: Group, path: str, scope: Scope) -> Iterator[Finding]:
    """Yield what keeps an NXdata from being plotted as it was meant."""
    name = group.attributes.get("signal")
    if not isinstance(name, str):
        yield from _without_signal(group, path, scope)
        return
    inner = scope.attribute("signal")
    signal = group.node(name)
    if not isinstance(signal, Array):
        yield from _missing(group, path, name, "signal", inner)
        return
    others = _names(group.attributes.get("auxiliary_signals"))
    for other in others:
        if not isinstance(group.node(other), Array):
            yield from _missing(group, path, other, "auxiliary_signals", scope)
    if signal.shape is not None:
        yield from _check_axes(group, path, signal.shape, scope)


def _without_signal(group: Group, path: str, scope: Scope) -> Iterator[Finding]:
    arrays = dict(group.arrays())
    marked = [n for n, array in arrays.items() if str(array.attributes.get("signal")) == "1"]
    if marked or not arrays:
        # The old way, reported where the attribute stands; or nothing to plot.
        return
    yield scope.attribute("signal").finding(
        "signal-absent",
        path,
        "The NXdata does not say which field to plot.",
        "Write the attribute signal with the field's name.",
        severity="warning",
    )


def _missing(group: Group, path: str, name: str, word: str, scope: Scope) -> Iterator[Finding]:
    if name in group.children and group.node(name) is None:
        # The broken link or damaged object is a finding of its own.
        return
    code = "axes-missing" if word == "axes" else "signal-missing"
    yield scope.finding(
        code,
        path,
        f"The attribute {word} names {printable(name)!r}, and there is no such field.",
        f"Name a field of this group in {word}, or write the field.",
        found=name,
    )


def _check_axes(group: Group, path: str, shape: tuple[int, ...], scope: Scope) -> Iterator[Finding]:
    stated = group.attributes.get("axes")
    inner = scope.attribute("axes")
    names = _names(stated)
    if isinstance(stated, str) and len(names) > 1:
        yield inner.finding(
            "axes-as-text",
            path,
            f"The attribute axes is one text, {printable(stated)!r}; viewers show nothing for it.",
            f"Write a list of names: {list(names)!r}.",
            severity="warning",
            found=stated,
        )
    indices = {name: _indices(group.attributes, name) for name in names if name != "."}
    explained = "." not in names and all(found is not None for found in indices.values())
    if names and len(names) != len(shape) and shape != () and not (explained and indices):
        yield inner.finding(
            "axes-rank",
            path,
            f"The attribute axes gives {len(names)} names for a signal of {len(shape)} dimensions.",
            "Name one axis for each dimension, '.' where there is none.",
            found=" ".join(names),
        )
        return
    for dimension, name in enumerate(names):
        if name != ".":
            spans = indices[name]
            found = (dimension,) if spans is None else spans
            yield from _check_axis(group, path, name, found, shape, inner)


def _check_axis(
    group: Group,
    path: str,
    name: str,
    dimensions: tuple[int, ...],
    shape: tuple[int, ...],
    scope: Scope,
) -> Iterator[Finding]:
    """Yield a finding if an axis has other lengths than the dimensions it belongs to."""
    axis = group.node(name)
    if not isinstance(axis, Array):
        yield from _missing(group, path, name, "axes", scope)
        return
    if axis.shape is None:
        return
    beyond = [d for d in dimensions if not 0 <= d < max(1, len(shape))]
    if beyond:
        message = (
            f"The attribute {name}_indices is {dimensions}, and the signal has the shape {shape}."
        )
        mend = "Count dimensions from 0."
        yield scope.finding("axes-rank", path, message, mend, found=dimensions)
        return
    wanted = tuple(shape[d] for d in dimensions) if shape else (1,)
    if not _fits(axis.shape, wanted):
        yield scope.finding(
            "axes-rank",
            path,
            f"The axis {printable(name)!r} has the shape {axis.shape}; "
            f"the signal's is {shape}, so {wanted} is needed.",
            f"Write one value for each point, or say in {name}_indices which dimensions it has.",
            found=axis.shape,
        )


def _fits(have: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Return whether an axis has a value for each point, or an edge more."""
    if have == () and all(n == 1 for n in wanted):
        return True
    if len(have) != len(wanted):
        return False
    return all(n in (m, m + 1) for n, m in zip(have, wanted, strict=True))


def _names(value: Any) -> tuple[str, ...]:
    """Return the names in an attribute: a list, or one text with separators as it was once."""
    if isinstance(value, str):
        text = value.strip("[]")
        separator = next((s for s in (":", ",") if s in text), None)
        parts = text.split(separator) if separator else [text]
        return tuple(part.strip() for part in parts if part.strip())
    return tuple(str(item) for item in value) if isinstance(value, tuple) else ()


def _indices(attributes: Mapping[str, Any], name: str) -> tuple[int, ...] | None:
    """Return the dimensions that an axis spans, if it says so; digits in a text count."""
    value = attributes.get(f"{name}_indices")
    if isinstance(value, str):
        value = tuple(value.replace(",", " ").split())
    items = value if isinstance(value, tuple) else (value,)
    found = []
    for item in items:
        # Older programs write them as text.
        number = int(item) if isinstance(item, str) and item.isdecimal() else item
        if not isinstance(number, int):
            return None
        found.append(number)
    return tuple(found) or None
