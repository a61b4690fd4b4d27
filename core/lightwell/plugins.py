"""Plugins: discovered by entry point, loaded one by one, broken ones reported and skipped."""

import dataclasses
import importlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from importlib import metadata
from types import ModuleType
from typing import Any, cast

import pluggy

from lightwell.errors import PluginError
from lightwell.hooks import API, Hooks

__all__ = ["GROUP", "PluginStatus", "Plugins"]

GROUP = "lightwell.plugins"
"""The entry-point group through which every plugin enters, first-party ones too."""

_BUILTIN = "lightwell.builtin"
"""What the core itself provides, by the same hooks."""

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PluginStatus:
    """One plugin: where it comes from and, if it did not load, why."""

    name: str
    module: str
    distribution: str
    version: str
    problem: str | None = None


class Plugins:
    """The plugins of one installation; there is no global set.

    modules : modules (or their names) to load beside the discovered ones;
    discover : whether to look for installed plugins; strict : raise instead of skipping.
    Errors: PluginError, with strict, for the first plugin that does not load.
    """

    def __init__(
        self,
        modules: Sequence[ModuleType | str] = (),
        *,
        discover: bool = True,
        strict: bool = False,
    ) -> None:
        self._manager = pluggy.PluginManager("lightwell")
        self._manager.add_hookspecs(Hooks)
        self._strict = strict
        self.status: list[PluginStatus] = []
        if discover:
            for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: p.name):
                self._enter(point.name, point.value, point.dist)
            self._enter("core", _BUILTIN, _own_distribution())
        for module in modules:
            name = module if isinstance(module, str) else module.__name__
            if name not in {status.module for status in self.status}:
                self._enter(name, module, None)

    def _enter(
        self, name: str, module: ModuleType | str, distribution: metadata.Distribution | None
    ) -> None:
        problem = None
        try:
            loaded = importlib.import_module(module) if isinstance(module, str) else module
            self._register(name, loaded)
        except (Exception, SystemExit) as error:
            if self._strict:
                raise
            problem = str(error) if isinstance(error, PluginError) else _in_words(error)
            _log.warning("plugin %s is skipped: %s", name, problem)
        owner = distribution.name if distribution else ""
        version = distribution.version if distribution else ""
        target = module if isinstance(module, str) else module.__name__
        self.status.append(PluginStatus(name, target, owner, version, problem))

    def _register(self, name: str, module: ModuleType) -> None:
        spoken = getattr(module, "lightwell_api", None)
        if spoken != API:
            says = "does not say which version" if spoken is None else f"speaks version {spoken}"
            raise PluginError(
                f"plugin {name} {says} of the hooks, this lightwell speaks {API}",
                where=module.__name__,
                remedy=f"state `lightwell_api = {API}` in the module, or install a fitting version",
            )
        if self._manager.has_plugin(name):
            raise PluginError(f"another plugin is called {name} already", where=module.__name__)
        try:
            self._manager.register(module, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=name)
            raise PluginError(
                f"plugin {name}: {' '.join(str(error).split())}",
                where=module.__name__,
                remedy="the hooks are listed in docs/hooks.md",
            ) from error

    @cached_property
    def importers(self) -> Mapping[str, Any]:
        """Every importer, by name."""
        from lightwell.importers import Importer

        return self._collect("provide_importers", Importer, lambda i: i.name)

    @cached_property
    def schemas(self) -> Mapping[str, Any]:
        """Every entry class, by definition."""
        from lightwell.model import Entry

        return self._collect("provide_schemas", type, lambda s: s.definition, base=Entry)

    @cached_property
    def recipes(self) -> Mapping[str, Any]:
        """Every recipe, by name."""
        from lightwell.recipes import Recipe

        return self._collect("provide_recipes", Recipe, lambda r: r.name)

    @cached_property
    def steps(self) -> Mapping[str, Any]:
        """Every step, by the place of its function."""
        from lightwell.steps import Step

        return self._collect("provide_steps", Step, lambda s: s.reference)

    @cached_property
    def previews(self) -> Sequence[Any]:
        """Every picture, in the order the plugins list them."""
        from lightwell.previews import Preview

        found = self._collect("provide_previews", Preview, lambda p: f"{p.of.__name__}.{p.name}")
        return tuple(found.values())

    @cached_property
    def simulators(self) -> Mapping[str, Any]:
        """Every simulator, by name."""
        from lightwell.simulators import Simulator

        return self._collect("provide_simulators", Simulator, lambda s: s.name)

    @cached_property
    def calibrations(self) -> Mapping[str, Any]:
        """Every calibration, by name."""
        from lightwell.calibration import Calibration

        return self._collect("provide_calibrations", Calibration, lambda c: c.name)

    @cached_property
    def converters(self) -> Mapping[str, Any]:
        """Every format to convert to, by name, beside lightwell's own."""
        from lightwell.conversion import Converter

        return self._collect("provide_converters", Converter, lambda c: c.name)

    @cached_property
    def catalogs(self) -> Mapping[str, Any]:
        """Every kind of catalog, by the beginning of its addresses, beside the embedded one."""
        from lightwell.catalog.backends import CatalogBackend

        return self._collect("provide_catalogs", CatalogBackend, lambda b: b.scheme)

    @cached_property
    def access_filters(self) -> Sequence[Any]:
        """Every access filter.

        Errors: PluginError for one that cannot be had: without it more would be seen.
        """
        found = []
        for implementation in self._manager.hook.provide_access_filters.get_hookimpls():
            name = implementation.plugin_name
            try:
                answers: list[Any] = list(cast("Any", implementation.function()))
            except Exception as error:
                raise _unguarded(name, _in_words(error)) from error
            for each in answers:
                if not callable(getattr(each, "restriction", None)):
                    raise _unguarded(name, f"it gave {each!r}, which is no access filter")
            found += answers
        return tuple(found)

    def distribution_of(self, module: str) -> tuple[str, str] | None:
        """Name and version of the distribution that a plugin's module came with, if any.

        >>> Plugins(discover=False).distribution_of("als_microdiffraction.steps")
        """
        package = module.partition(".")[0]
        for status in self.status:
            if status.distribution and status.module.partition(".")[0] == package:
                return status.distribution, status.version
        return None

    def resolve(self, hook: str, **arguments: Any) -> Any:
        """The first answer to a ``resolve_*`` hook, or None; a failing one is passed over."""
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            try:
                answer = implementation.function(*(arguments[n] for n in implementation.argnames))
            except Exception:
                _log.exception("plugin %s failed in %s", implementation.plugin_name, hook)
                continue
            if answer is not None:
                return answer
        return None

    def tell(self, hook: str, **arguments: Any) -> None:
        """Tell every plugin; a failure is logged with the plugin's name and goes no further."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            names = implementation.argnames
            try:
                implementation.function(*(arguments[name] for name in names))
            except Exception:
                _log.exception("plugin %s failed in %s", implementation.plugin_name, hook)

    def _collect(
        self, hook: str, kind: type, key: Callable[[Any], str], base: type | None = None
    ) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        owners: dict[str, str] = {}
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            owner = implementation.plugin_name
            for item in self._asked(hook, implementation):
                if not _is_wanted(item, kind, base):
                    wanted = f"subclass of {base.__name__}" if base else kind.__name__
                    self._fail(owner, f"{hook} returned {item!r}, which is no {wanted}")
                    continue
                name = key(item)
                if name in found:
                    both = f"plugins {owners[name]} and {owner} both provide {name!r} in {hook}"
                    twice = f"plugin {owner} provides {name!r} twice in {hook}"
                    raise PluginError(
                        twice if owners[name] == owner else both,
                        remedy="rename one of the two, or uninstall a plugin",
                    )
                found[name], owners[name] = item, owner
        return found

    def _asked(self, hook: str, implementation: Any) -> Iterable[Any]:
        try:
            return list(implementation.function())
        except Exception as error:
            if self._strict:
                raise
            self._fail(implementation.plugin_name, f"{hook} failed: {_in_words(error)}")
            return []

    def _fail(self, plugin: str, problem: str) -> None:
        if self._strict:
            raise PluginError(problem, where=f"plugin {plugin}")
        _log.warning("plugin %s: %s", plugin, problem)
        self.status = [
            dataclasses.replace(s, problem=problem) if s.name == plugin else s for s in self.status
        ]


def _unguarded(plugin: str, why: str) -> PluginError:
    return PluginError(
        f"the access filters of plugin {plugin} cannot be had, so nobody is let in ({why})",
        remedy="mend the plugin, or uninstall it",
    )


def _own_distribution() -> metadata.Distribution | None:
    try:
        return metadata.distribution("lightwell")
    except metadata.PackageNotFoundError:
        # Run from its source, not installed.
        return None


def _is_wanted(item: Any, kind: type, base: type | None) -> bool:
    if base is None:
        return isinstance(item, kind)
    return isinstance(item, type) and issubclass(item, base)


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
