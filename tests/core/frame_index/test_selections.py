"""Selections: frames as runs, written down and read back, kept by name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.errors import NotFound, ParameterError, UnreadableFile
from lightwell.frame_index import FrameRuns, Selection, SelectionStore


@settings(deadline=None)
@given(frames=st.sets(st.integers(0, 2999)), more=st.integers(0, 10))
def test_frames_are_read_back(frames: set[int], more: int) -> None:
    runs = FrameRuns.from_frames(sorted(frames), 3000 + more)
    again = FrameRuns.parse(runs.text, runs.of)
    assert again.frames().tolist() == sorted(frames)
    assert len(again) == len(frames)
    assert again.digest() == runs.digest()


def test_many_single_frames_take_a_bit_each() -> None:
    chosen = np.flatnonzero(np.random.default_rng(0).random(20_000) < 0.5)
    runs = FrameRuns.from_frames(chosen, 20_000)
    assert runs.text.startswith("bits:")
    assert len(runs.text) < 4000
    assert np.array_equal(FrameRuns.parse(runs.text, 20_000).frames(), chosen)
    # How they are written down changes no job.
    assert FrameRuns.parse("0-2,5", 9).digest() == FrameRuns.from_frames([0, 1, 2, 5], 9).digest()


@pytest.mark.parametrize("text", ["3-1", "0-9", "2,1", "a", "1;2", "bits:!", "bits:AAAA"])
def test_what_names_no_frames(text: str) -> None:
    with pytest.raises(ParameterError):
        FrameRuns.parse(text, 5)


def test_a_selection_is_kept_by_name_and_user(tmp_path: Path) -> None:
    store = SelectionStore(tmp_path, "mia")
    selection = Selection("x < 1", {"lw-a": FrameRuns.from_frames([1, 2], 4)}, ("a note",))
    path = store.save("few", selection)
    again = store.load("few")
    assert (again.question, again.notes, again.frames) == ("x < 1", ("a note",), 2)
    assert again.only()[0] == "lw-a"
    assert store.names() == ["few"]
    assert not SelectionStore(tmp_path, "tom").has("few")
    assert (
        SelectionStore(tmp_path, "..")
        .save("few", selection)
        .is_relative_to(tmp_path / "selections")
    )
    with pytest.raises(NotFound, match="Did you mean 'few'"):
        store.load("fex")
    path.write_text("{}")
    with pytest.raises(UnreadableFile, match="no selection of frames"):
        store.load("few")


@pytest.mark.parametrize("name", ["", "lw-a", "../a", "a b", "x" * 65, "x < 1"])
def test_names_there_cannot_be(tmp_path: Path, name: str) -> None:
    store = SelectionStore(tmp_path, "mia")
    assert not store.has(name)
    with pytest.raises(ParameterError, match="cannot be the name"):
        store.save(name, Selection("", {}))


def test_a_recipe_takes_one_dataset() -> None:
    runs = FrameRuns.from_frames([0], 2)
    with pytest.raises(ParameterError, match="frames of 2 datasets"):
        Selection("x < 1", {"lw-a": runs, "lw-b": runs}).only()
