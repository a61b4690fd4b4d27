"""An installation: settings, plugins, stores, catalog and folders, as configured."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import quote

from lightwell.errors import ParameterError, PluginError
from lightwell.plugins import Plugins
from lightwell.settings import Settings, find_settings
from lightwell.users import User, local_user

if TYPE_CHECKING:
    from lightwell.access import Policy
    from lightwell.catalog.base import DocumentCatalog
    from lightwell.frame_index import FrameIndex
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

    @property
    def cache(self) -> Path:
        """Where compiled programs and tables are kept for later jobs."""
        return self.home / "cache"

    @cached_property
    def stores(self) -> "Stores":
        """The stores, by name."""
        from lightwell.storage import Store, Stores

        return Stores(Store(n, s.url, s.tier) for n, s in self.settings.stores.items())

    @cached_property
    def catalog(self) -> "DocumentCatalog":
        """The catalog: where the settings say, else an embedded database below the home."""
        from lightwell.catalog.backends import open_catalog

        if self.settings.catalog is not None:
            return self.open_catalog(self.settings.catalog)
        return open_catalog(f"sqlite://{quote(str(self.embedded_file))}", {}, self.plugins.schemas)

    def open_catalog(self, url: str) -> "DocumentCatalog":
        """The catalog at another address, e.g. to copy into.

        Errors: UnknownName for a kind there is none of.
        """
        from lightwell.catalog.backends import open_catalog

        return open_catalog(url, self.plugins.catalogs, self.plugins.schemas)

    @property
    def embedded_file(self) -> Path | None:
        """The file of an embedded catalog, None where a server keeps it."""
        from lightwell.catalog.backends import EMBEDDED, embedded_path

        url = self.settings.catalog
        if url is None:
            return self.folder() / "catalog.sqlite"
        return embedded_path(url) if url.startswith(f"{EMBEDDED}://") else None

    @cached_property
    def policy(self) -> "Policy":
        """Who keeps the installation, and how long data is under embargo.

        Without settings for access it is a private one, and whoever runs it keeps it.
        """
        from lightwell.access import Policy

        access = self.settings.access
        if access is None:
            return Policy(frozenset({local_user().name}))
        return Policy(frozenset(access.keepers), access.embargo)

    @property
    def is_kept_here(self) -> bool:
        """Whether whoever runs this process owns the folder, and so can read all of it anyway."""
        if self.settings.access is None or not hasattr(os, "geteuid"):
            return self.settings.access is None
        try:
            return self.home.stat().st_uid == os.geteuid()
        except FileNotFoundError:
            return True

    def user(self, name: str) -> User:
        """The user of a name, with what the user office, or the settings, say of them.

        Errors: ParameterError for no name.
        """
        if not name.strip() or not name.isprintable():
            raise ParameterError(f"{name!r} is no name of a user")
        found = self.plugins.resolve("resolve_user", name=name)
        if isinstance(found, User) and found.name == name:
            return found
        if found is not None:
            raise PluginError(f"a plugin says that the user {name!r} is {found!r}")
        access = self.settings.access
        if access is None:
            return User(name)
        return User(
            name,
            proposals=_circles(access.proposals, name),
            staff_of=_circles(access.staff, name),
            groups=_circles(access.groups, name),
        )

    def check_needed_plugins(self) -> None:
        """Raise `PluginError` if a plugin is missing that access depends on."""
        needs = self.settings.access.needs if self.settings.access else ()
        loaded = {status.name for status in self.plugins.status if not status.problem}
        missing = [name for name in needs if name not in loaded]
        if missing:
            raise PluginError(
                f"access to this installation needs the plugin {missing[0]}, which did not load",
                remedy="see why by `lightwell plugins`",
            )

    @cached_property
    def frame_index(self) -> "FrameIndex":
        """The values of single frames, below the home."""
        from lightwell.frame_index import FrameIndex

        return FrameIndex(self.home / "frames", threads=self.workers)

    @property
    def memory(self) -> int:
        """The memory budget of a job: as configured, else half of what is free now."""
        if self.settings.memory is not None:
            return self.settings.memory
        return min(max(_free_memory() // 2, 1 << 30), self.capacity)

    @property
    def capacity(self) -> int:
        """The memory all jobs on this machine may have together: as configured, else half of it."""
        if self.settings.memory is not None:
            return self.settings.memory
        return max(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2, 1 << 30)

    @property
    def workers(self) -> int:
        """How many worker processes a job may use: as configured, else one per usable core."""
        if self.settings.workers is not None:
            return self.settings.workers
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1


def _circles(circles: Mapping[str, Sequence[str]], name: str) -> frozenset[str]:
    return frozenset(circle for circle, people in circles.items() if name in people)


def _free_memory() -> int:
    info = Path("/proc/meminfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
