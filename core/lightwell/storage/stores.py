"""Named filesystems with a tier, and the choice of the one that holds a path."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from lightwell.errors import Conflict, ParameterError, UnknownName
from lightwell.files import File

__all__ = ["Store", "Stores", "Tier"]

Tier: TypeAlias = Literal["disk", "object", "tape", "remote"]
_TIERS: Final = get_args(Tier)


@dataclass(frozen=True, slots=True)
class Store:
    """A named place that fsspec reaches, e.g. `Store("scratch", "file:///scratch", "disk")`.

    Raises `ParameterError` for a tier there is none of.
    """

    name: str
    url: str
    tier: Tier = "disk"

    def __post_init__(self) -> None:
        if self.tier not in _TIERS:
            raise ParameterError(
                f"{self.tier!r} is no tier", where=self.name, remedy=f"Use {', '.join(_TIERS)}"
            )

    @property
    def root(self) -> File:
        """The folder everything in this store lies in."""
        return File(self.url)

    def file(self, path: str) -> File:
        """Return the file of a path relative to the root; raises `ParameterError` if it leaves."""
        if path.startswith("/") or ".." in path.split("/"):
            raise ParameterError(
                f"{path!r} leads out of the store {self.name}",
                where=self.url,
                remedy="Give a path relative to the root of the store",
            )
        return self.root.child(path) if path else self.root

    def contains(self, place: "str | os.PathLike[str] | File") -> bool:
        """Tell whether a place lies in this store, by its path alone."""
        file, root = File(place), self.root
        if type(file.fs) is not type(root.fs) or ".." in file.path.split("/"):
            return False
        return file == root or file.url.startswith(root.url.rstrip("/") + "/")

    def relative(self, place: "str | os.PathLike[str] | File") -> str:
        """Return the posix path of a place below the root; raises `UnknownName` if outside."""
        if not self.contains(place):
            raise UnknownName(
                f"{File(place)} does not lie in the store {self.name}", where=self.url
            )
        file = File(place)
        return "" if file == self.root else file.relative_to(self.root)


@dataclass(frozen=True)
class Stores:
    """The stores of an installation, by name; raises `Conflict` if two share one."""

    members: tuple[Store, ...] = ()
    _by_name: dict[str, Store] = field(init=False, repr=False, compare=False)

    def __init__(self, members: Iterable[Store] = ()) -> None:
        by_name: dict[str, Store] = {}
        for store in members:
            if store.name in by_name:
                raise Conflict(
                    f"two stores are named {store.name!r}: "
                    f"{by_name[store.name].url} and {store.url}",
                    remedy="Rename one of them",
                )
            by_name[store.name] = store
        object.__setattr__(self, "members", tuple(by_name.values()))
        object.__setattr__(self, "_by_name", by_name)

    def __iter__(self) -> Iterator[Store]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, name: str) -> Store:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"there is no store {name!r}", remedy=self._known()) from None

    def holding(self, place: "str | os.PathLike[str] | File") -> Store:
        """Return the store a place lies in, the innermost if they are nested.

        Raises `UnknownName` naming the stores there are.
        """
        candidates = [store for store in self.members if store.contains(place)]
        if not candidates:
            raise UnknownName(f"{File(place)} lies in no known store", remedy=self._known())
        return max(candidates, key=lambda store: len(store.root.url.rstrip("/")))

    def _known(self) -> str:
        if not self.members:
            return "No store is configured; add one to lightwell.toml"
        known = ", ".join(f"{store.name} ({store.url})" for store in self.members)
        return f"Known stores are {known}"
