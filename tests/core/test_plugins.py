"""Plugins: found, loaded one by one; a broken one is reported and stops nobody."""

import logging
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lightwell import Described, Entry, File, Importer, hookimpl
from lightwell.errors import PluginError
from lightwell.plugins import GROUP, Plugins


class Tape(Importer):
    """Claims nothing."""

    name = "tape"

    def claims(self, file: File) -> bool:
        return False

    def describe(self, file: File, /) -> list[Described]:
        return []


class Scroll(Tape):
    """Another one."""

    name = "scroll"


def plugin(name: str, **hooks: Any) -> ModuleType:
    """Make a module with the given functions as hooks."""
    module = ModuleType(name)
    vars(module)["lightwell_api"] = 1
    for hook, function in hooks.items():
        vars(module)[hook] = hookimpl(function)
    return module


def alone(*modules: ModuleType | str, strict: bool = False) -> Plugins:
    return Plugins(modules, discover=False, strict=strict)


def problem_of(plugins: Plugins, name: str) -> str:
    [problem] = [status.problem for status in plugins.status if status.name == name]
    return problem or ""


def test_a_private_set_holds_nothing_else() -> None:
    plugins = alone(plugin("mine", provide_importers=lambda: [Tape()]))
    assert list(plugins.importers) == ["tape"]
    assert list(plugins.recipes) == list(plugins.steps) == list(plugins.previews) == []
    assert [status.name for status in plugins.status] == ["mine"]


def test_the_installed_ones_come_with_their_distribution() -> None:
    plugins = Plugins(strict=True)
    tomography = next(status for status in plugins.status if status.name == "tomography")
    assert tomography.distribution == "lightwell"
    assert tomography.version == metadata.version("lightwell")
    assert plugins.distribution_of("lightwell_tomography.steps") == (
        "lightwell",
        tomography.version,
    )
    assert plugins.distribution_of("somewhere.else") is None
    assert {"dxchange", "nxtomo", "tiff-folder"} <= set(plugins.importers)
    assert "tomography.gridrec" in plugins.recipes


def test_one_that_cannot_be_imported_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "half_written_plugin.py").write_text("import a_package_nobody_has\n")
    (tmp_path / "leaving_plugin.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    good = plugin("good", provide_importers=lambda: [Tape()])
    with caplog.at_level(logging.WARNING):
        plugins = alone("half_written_plugin", "leaving_plugin", good)
    assert "a_package_nobody_has" in problem_of(plugins, "half_written_plugin")
    assert "SystemExit" in problem_of(plugins, "leaving_plugin")
    assert "half_written_plugin" in caplog.text
    assert list(plugins.importers) == ["tape"]


def test_strict_raises_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_written_plugin.py").write_text("import a_package_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError):
        alone("half_written_plugin", strict=True)


def test_a_misspelt_hook_is_an_error_naming_it() -> None:
    module = plugin("misspelt", provide_importer=lambda: [Tape()])
    assert "provide_importer'" in problem_of(alone(module), "misspelt")
    with pytest.raises(PluginError, match=r"plugin misspelt: unknown hook 'provide_importer'"):
        alone(module, strict=True)


def test_wrong_arguments_are_an_error_and_leave_nothing_behind() -> None:
    module = plugin("grasping", provide_importers=lambda everything: [Tape()])
    plugins = alone(module, plugin("good"))
    assert "everything" in problem_of(plugins, "grasping")
    assert problem_of(plugins, "good") == ""
    assert dict(plugins.importers) == {}


@pytest.mark.parametrize(
    ("version", "said"), [(2, "speaks version 2"), (None, "does not say which version")]
)
def test_another_version_of_the_hooks(version: int | None, said: str) -> None:
    module = ModuleType("foreign")
    if version is not None:
        vars(module)["lightwell_api"] = version
    assert said in problem_of(alone(module), "foreign")
    with pytest.raises(PluginError, match=said):
        alone(module, strict=True)


def test_two_contributions_of_one_name_name_both() -> None:
    one = plugin("one", provide_importers=lambda: [Tape()])
    other = plugin("other", provide_importers=lambda: [Tape()])
    with pytest.raises(PluginError, match=r"plugins (one and other|other and one) both .*'tape'"):
        _ = alone(one, other).importers
    twice = plugin("twice", provide_importers=lambda: [Tape(), Tape()])
    with pytest.raises(PluginError, match="plugin twice provides 'tape' twice"):
        _ = alone(twice).importers


def fail() -> Any:
    raise RuntimeError("the licence has expired")


def test_a_hook_that_fails_is_reported_and_the_others_count() -> None:
    bad = plugin("bad", provide_importers=fail)
    good = plugin("good", provide_importers=lambda: [Scroll()])
    plugins = alone(bad, good)
    assert list(plugins.importers) == ["scroll"]
    assert problem_of(plugins, "bad").startswith("provide_importers failed: RuntimeError")
    with pytest.raises(RuntimeError):
        _ = alone(bad, strict=True).importers


@pytest.mark.parametrize(
    ("hook", "given", "said"),
    [
        ("provide_importers", "tape", "which is no Importer"),
        ("provide_importers", Tape, "which is no Importer"),
        ("provide_schemas", Tape, "which is no subclass of Entry"),
        ("provide_schemas", Entry(), "which is no subclass of Entry"),
        ("provide_recipes", None, "which is no Recipe"),
    ],
)
def test_what_is_no_contribution_is_refused(hook: str, given: Any, said: str) -> None:
    module = plugin("odd", **{hook: lambda: [given]})
    collection = hook.removeprefix("provide_")
    plugins = alone(module)
    assert not getattr(plugins, collection)
    assert said in problem_of(plugins, "odd")
    with pytest.raises(PluginError, match=said):
        getattr(alone(module, strict=True), collection)


def test_a_module_named_twice_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = Plugins(["lightwell_tomography.plugin"])
    names = [status.name for status in plugins.status]
    assert names.count("tomography") == 1
    assert "lightwell_tomography.plugin" not in names


def test_two_installed_plugins_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [metadata.EntryPoint("twin", f"lightwell_{t}.plugin", GROUP) for t in ("saxs", "xas")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)
    found = [status.problem for status in Plugins().status]
    assert found[0] is None
    assert "another plugin is called twin already" in (found[1] or "")


def test_the_first_answer_wins_and_a_failing_one_is_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wanted = Tape()
    silent = plugin("silent", resolve_importer=lambda: None)
    failing = plugin("failing", resolve_importer=fail)
    knowing = plugin("knowing", resolve_importer=lambda candidates: candidates[0])
    plugins = alone(knowing, silent, failing)
    found = plugins.resolve("resolve_importer", file=File("/x"), candidates=[wanted])
    assert found is wanted
    assert "plugin failing failed in resolve_importer" in caplog.text


def test_a_listener_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Any] = []
    failing = plugin("failing", on_ingested=fail)
    hearing = plugin("hearing", on_ingested=lambda dataset: told.append(dataset))
    alone(failing, hearing).tell("on_ingested", dataset="the dataset")
    assert told == ["the dataset"]
    assert "plugin failing failed in on_ingested" in caplog.text
