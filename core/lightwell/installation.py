"""An installation: settings, plugins, stores, catalog and folders, as configured."""

import dataclasses
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from lightwell.errors import ParameterError
from lightwell.plugins import Plugins
from lightwell.settings import Settings, find_settings

if TYPE_CHECKING:
    from lightwell.catalog.sqlite import SqliteCatalog
    from lightwell.storage import Stores

__all__ = ["Installation"]


@dataclasses.dataclass(frozen=True)
class Installation:
    """The configured whole; sessions are opened on it."""

    settings: Settings
    plugins: Plugins

    @classmethod
    def configured(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        plugins: Sequence[ModuleType | str] = (),
    ) -> "Installation":
        """The installation a settings file describes, with the plugins that are installed.

        Errors: ParameterError for settings that are wrong.
        """
        settings = find_settings(path)
        installation = cls(settings, Plugins((*settings.plugins, *plugins)))
        installation.plugins.tell("on_startup", installation=installation)
        return installation

    @property
    def home(self) -> Path:
        """The folder of catalog, entries and results."""
        return self.settings.home

    def folder(self, *names: str) -> Path:
        """A folder below the home, made when it is first needed.

        Errors: ParameterError where it cannot be made.
        """
        path = self.home.joinpath(*names)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ParameterError(
                f"the home of the installation cannot be used ({error})",
                remedy="set LIGHTWELL_HOME, or home in lightwell.toml, to a folder of your own",
            ) from error
        return path

    @cached_property
    def stores(self) -> "Stores":
        """The stores, by name."""
        from lightwell.storage import Store, Stores

        return Stores(Store(n, s.url, s.tier) for n, s in self.settings.stores.items())

    @cached_property
    def catalog(self) -> "SqliteCatalog":
        """The catalog: an embedded database below the home."""
        from lightwell.catalog.sqlite import SqliteCatalog

        return SqliteCatalog(self.folder() / "catalog.sqlite", schemas=self.plugins.schemas)

    @property
    def memory(self) -> int:
        """The memory budget of a job: as configured, else half of what is free now."""
        if self.settings.memory is not None:
            return self.settings.memory
        return max(_free_memory() // 2, 1 << 30)

    @property
    def workers(self) -> int:
        """How many worker processes a job may use: as configured, else one per usable core."""
        if self.settings.workers is not None:
            return self.settings.workers
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1


def _free_memory() -> int:
    info = Path("/proc/meminfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
