"""The verb: a dataset written as one file of another format."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lightwell.conversion.copying import Copy, Tell
from lightwell.conversion.nexus import NeXus
from lightwell.conversion.protocol import Converted, Converter
from lightwell.datasets import Dataset
from lightwell.errors import ParameterError, UnknownName
from lightwell.exports.placing import complete_output
from lightwell.stacks import open_array
from lightwell.words import nearest

__all__ = ["OWN", "convert"]

OWN: Final[Mapping[str, Converter]] = {NeXus.name: NeXus()}
"""What lightwell converts to without a plugin."""


def convert(
    dataset: Dataset,
    to: str,
    path: str | os.PathLike[str],
    *,
    converters: Mapping[str, Converter] | None = None,
    compression: str | None = None,
    tell: Tell | None = None,
) -> Converted:
    """Write a dataset as one file that needs no other; it appears complete or not at all.

    dataset : with its list of files; converters : those of plugins, by name; compression :
    bitshuffle-lz4, gzip or none, the format's own if not given; tell : hears how far it is.
    Errors: InputError in one sentence; nothing that stands there already is touched.
    """
    from lightwell.hdf5 import release
    from lightwell.hdf5.compression import filters

    known = {**OWN, **(converters or {})}
    if to not in known:
        raise UnknownName(f"nothing here converts to '{to}'", remedy=nearest(to, known))
    converter = known[to]
    chosen = "none" if converter.is_text else compression or converter.compression
    if converter.is_text and compression not in (None, "none"):
        raise ParameterError(f"{to} is text and is not compressed", remedy="Leave it out")
    filters(chosen)
    target = Path(os.path.normpath(Path(path).expanduser().absolute()))
    manifest = dataset.manifest
    try:
        with complete_output(target) as part, _opened(converter, part) as (file, check):

            def told(event: Mapping[str, Any]) -> None:
                check()
                if tell is not None:
                    tell(event)

            copy = Copy(lambda ref: open_array(ref, manifest), chosen, told)
            converter.write(file, dataset, target, copy)
    finally:
        # HDF5 lets nobody in this process open a file otherwise than we keep it open.
        release()
    facts = {"pid": dataset.pid, "compression": chosen, "bytes": target.stat().st_size}
    return Converted(target, to, facts)


@contextmanager
def _opened(converter: Converter, part: Path) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Lend the empty file that a converter writes into, and a look whether the disk still works."""
    from lightwell.hdf5.surviving import surviving

    if converter.is_text:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file, lambda: None
    else:
        with surviving(part) as pair:
            yield pair
