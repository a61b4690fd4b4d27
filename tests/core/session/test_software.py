"""A result knows the version of the plugin that made it; another version makes another result."""

import sys
from pathlib import Path

import pytest

import lightwell
from lightwell import Session
from lightwell.errors import UnknownName

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorial"
RECIPE = "microdiffraction.rings"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where pip would have put the tutorial's plugin: its code and what describes it."""
    place = tmp_path / "site-packages"
    place.mkdir()
    for path in (place, TUTORIAL):
        monkeypatch.syspath_prepend(str(path))
    for name in [n for n in sys.modules if n.startswith("als_microdiffraction")]:
        monkeypatch.delitem(sys.modules, name)
    return place


def install(place: Path, version: str) -> Session:
    folder = place / "als_microdiffraction.dist-info"
    folder.mkdir(exist_ok=True)
    facts = f"Metadata-Version: 2.1\nName: als-microdiffraction\nVersion: {version}\n"
    (folder / "METADATA").write_text(facts)
    point = "microdiffraction = als_microdiffraction.plugin"
    (folder / "entry_points.txt").write_text(f"[lightwell.plugins]\n{point}\n")
    return lightwell.open()


def test_another_version_is_another_result(installed: Path, tmp_path: Path) -> None:
    als = install(installed, "0.1.0")
    from example import write_map  # type: ignore[import-not-found]

    write_map(str(tmp_path / "map.h5"))
    [raw] = als.ingest(tmp_path / "map.h5")
    result = als.run(RECIPE, raw).result()
    assert result.job["environment"]["als-microdiffraction"] == "0.1.0"
    process = result.entry.process
    assert process["01_subtract_dark"].version == "0.1.0"
    assert als.plan(RECIPE, raw, {}).pid == result.pid

    newer = install(installed, "0.2.0")
    assert newer.plan(RECIPE, raw, {}).pid != result.pid
    # What was made by the older one is still confirmed, its numbers being the same.
    assert newer.replay(result.pid).verdict == "equal"

    (installed / "als_microdiffraction.dist-info" / "entry_points.txt").unlink()
    without = lightwell.open()
    assert without.get(raw.pid).definition == "ALSmicrodiffraction"
    with pytest.raises(UnknownName, match=r"als-microdiffraction 0\.1\.0, which has to be"):
        without.replay(result.pid)
