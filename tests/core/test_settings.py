"""Settings: a file, an environment variable, or neither; what is wrong is said with its key."""

from pathlib import Path

import pytest

import lightwell
from lightwell.errors import ParameterError
from lightwell.settings import find_settings, parse_size


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for a settings file, with no home told by the environment."""
    monkeypatch.delenv("LIGHTWELL_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lightwell.toml"


def test_defaults_need_no_file(file: Path) -> None:
    settings = find_settings()
    assert settings.home == file.parent / "user" / ".lightwell"
    assert settings.memory is None
    assert settings.stores["local"].tier == "disk"


def test_the_file_here_is_found(file: Path) -> None:
    file.write_text(
        'home = "state"\nmemory = "2GB"\nworkers = 3\nplugins = ["als.plugin"]\n'
        '[stores.tape]\nurl = "file:///mnt/tape"\ntier = "tape"\n'
    )
    settings = find_settings()
    assert settings.home == file.parent / "state"
    assert (settings.memory, settings.workers) == (2_000_000_000, 3)
    assert settings.plugins == ("als.plugin",)
    assert settings.stores["tape"].tier == "tape"


def test_a_home_is_relative_to_its_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "beamline").mkdir()
    named = file.parent / "beamline" / "als.toml"
    named.write_text('home = "state"\n')
    assert find_settings(named).home == named.parent / "state"
    assert find_settings("beamline/als.toml").home == named.parent / "state"


def test_the_environment_decides_on_the_home(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('home = "state"\n')
    monkeypatch.setenv("LIGHTWELL_HOME", "elsewhere")
    assert find_settings().home == file.parent / "elsewhere"
    (file.parent / "beamline").mkdir()
    (file.parent / "beamline" / "als.toml").touch()
    # Relative to where the command runs, not to the file.
    assert find_settings("beamline/als.toml").home == file.parent / "elsewhere"
    monkeypatch.setenv("LIGHTWELL_HOME", "~/mine")
    assert find_settings().home == file.parent / "user" / "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("memory_limit = 3", "there is no setting 'memory_limit'. Did you mean 'memory'?"),
        ("[stores.tape]\nurl = 'x'\nteir = 'tape'", "'stores.tape.teir'. Did you mean 'tier'?"),
        ("[stores.tape]\nurl = 'x'\ntier = 'moon'", "stores.tape.tier: "),
        ("[stores.tape]\ntier = 'tape'", "stores.tape.url: Field required"),
        ("memory = 'lots'", "memory: 'lots' is not a size"),
        ("memory = true", "memory: True is not a size"),
        ("memory = -5", "memory: a size of -5 holds nothing"),
        ("workers = 0", "workers: "),
        ("workers = 'many'", "workers: "),
        ("plugins = 'als.plugin'", "plugins: "),
        ("home = 3", "home is 3, not a path"),
        ("home = ", "not readable as TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(ParameterError) as refused:
        find_settings()
    assert said in str(refused.value)
    assert "lightwell.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_was_named_has_to_be_there(file: Path) -> None:
    with pytest.raises(ParameterError, match=r"no settings file nowhere\.toml"):
        find_settings("nowhere.toml")
    with pytest.raises(ParameterError, match="not readable"):
        find_settings(file.parent)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2 * 10**9),
        ("2 gb", 2 * 10**9),
        ("2GiB", 2**31),
        ("1.5M", 1_500_000),
        ("512k", 512_000),
        ("7", 7),
        ("3B", 3),
        (10**12, 10**12),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "two", "2XB", "nan", "inf", "-1GB", "0", 0, "1e400"])
def test_what_is_no_size(text: str | int) -> None:
    with pytest.raises(ParameterError):
        parse_size(text)


def test_a_session_works_in_the_home(file: Path) -> None:
    file.write_text('home = "state"\n')
    als = lightwell.open(file)
    assert als.find().datasets == ()
    assert (file.parent / "state" / "catalog.sqlite").exists()
