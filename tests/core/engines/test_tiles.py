"""Tiles: their size, their place, and what they need of their neighbours."""

from pathlib import Path
from typing import Any

import chains
import jax.numpy as jnp
import numpy as np
import pytest
import runs
import stranger_chains

from lightwell.engines.checkpoints import load_checkpoint, save_checkpoint
from lightwell.engines.segments import Segment, SegmentFolder, is_damaged, write_segment
from lightwell.engines.sources import Source, shapes_only
from lightwell.engines.stored import segmented, stored_whole, write_whole
from lightwell.engines.tiles import Section, Tiles, Work, choose_axis, tile_length
from lightwell.errors import DamagedResult, InputError, JunctionError, PluginError
from lightwell.stacks import ArrayInMemory


def section(rows: int = 11, tile: int = 4) -> Section:
    values = {"weight": 0.2}
    works = (Work(chains.soften, values), Work(chains.soften, values))
    return Section(runs.dark(rows), works, "row", tile, rows)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 9, 11, 12])
def test_two_halos_in_a_row_equal_the_whole_call(rows: int) -> None:
    cut = section(rows)
    tiles = Tiles(cut)
    found = np.concatenate([np.asarray(tiles.compute(t).line) for t in range(cut.count)], axis=1)
    whole = runs.dark(rows)
    product: Any = chains.Sinograms.of(**{n: a.read() for n, a in whole.arrays.items()})
    expected = chains.soften(chains.soften(product))
    np.testing.assert_allclose(found, expected.line, rtol=1e-6)


def test_a_slab_gives_the_bits_of_its_tiles_alone() -> None:
    cut = section()
    alone = [np.asarray(Tiles(cut).compute(tile).line) for tile in range(cut.count)]
    tiles = Tiles(cut)
    for first, last in [(0, 3), (1, 3), (2, 3)]:
        tiles.hold(first, last)
        for tile in reversed(range(first, last)):
            np.testing.assert_array_equal(tiles.compute(tile).line, alone[tile])


class _Once:
    """An array that may not be read outside what a slab needs."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.reads = values, 0
        self.shape, self.dtype = values.shape, values.dtype

    def read(self, selection: tuple[Any, ...] = ()) -> np.ndarray:
        self.reads += 1
        return self.values[selection]


def test_a_slab_reads_its_data_once() -> None:
    source = runs.dark(40)
    line = _Once(source.arrays["line"].read())
    counted = Source(source.product, {**source.arrays, "line": line})
    tiles = Tiles(Section(counted, section().works, "row", 4, 40))
    tiles.hold(2, 8)
    for tile in range(2, 8):
        tiles.compute(tile)
    assert line.reads == 1


def test_only_tiles_that_serve_neighbours_are_kept() -> None:
    tiles = Tiles(section(40))
    tiles.hold(0, 10)
    for tile in range(10):
        tiles.compute(tile)
        assert {depth for depth, _ in tiles._recent} <= {1}
        assert len(tiles._recent) <= 4


def test_the_size_of_a_tile_follows_from_recipe_and_shapes() -> None:
    source = runs.dark(64, angles=1, width=32)
    assert tile_length(source, (), "row") == 16
    broad = runs.in_memory(
        chains.Sinograms,
        line=np.broadcast_to(np.float32(0), (1024, 64, 512)),
        angles=np.zeros(1024),
    )
    assert tile_length(broad, (), "row") == 2
    asked = Work(chains.normalise, {})
    assert tile_length(source, (asked,), "row") == 4
    wide = chains.map_step(over={"row"}, halo={"row": 5})(chains.soften.function)
    assert tile_length(source, (asked, Work(wide, {})), "row") == 5
    assert tile_length(broad, (Work(wide, {}),), "row") == 8


def test_the_axis_of_a_section_is_shared_by_its_steps() -> None:
    scan = runs.scan()
    normalise = Work(chains.normalise, {})
    assert choose_axis(scan, (normalise, Work(chains.soften, {}))) == "row"
    assert choose_axis(scan, (normalise,)) == "row"
    assert choose_axis(runs.dark(), (Work(chains.subtract, {}),)) == "angle"
    assert choose_axis(runs.dark(), ()) is None


def frames(values: np.ndarray) -> Any:
    return stranger_chains.Frames.of(image=values)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[SegmentFolder, np.ndarray]:
    values = np.random.default_rng(0).random((10, 3, 2), np.float32)
    parts = [frames(values[start : start + 4]) for start in (0, 4, 8)]
    write_segment(tmp_path, (0, 2), parts[:2], "frame")
    write_segment(tmp_path, (2, 3), parts[2:], "frame")
    return SegmentFolder(tmp_path), values


@pytest.mark.parametrize(
    "cut", [slice(None), slice(3, 9), slice(1, 10, 3), slice(5, 5), slice(8, None, 2)]
)
def test_segments_read_as_one_array(cut: slice, stored: tuple[SegmentFolder, np.ndarray]) -> None:
    folder, values = stored
    span = Section(runs.frames(10), (), "frame", 4, 10).span
    array = segmented(folder.segments(), stranger_chains.Frames, "frame", span, 10)["image"]
    assert array.shape == values.shape
    np.testing.assert_array_equal(array.read((cut, slice(1, 3))), values[cut, 1:3])
    np.testing.assert_array_equal(array.read((cut,)), values[cut])


def test_a_tile_that_is_nowhere_is_named(stored: tuple[SegmentFolder, np.ndarray]) -> None:
    folder, _ = stored
    assert folder.missing(range(5)) == [3, 4]
    with pytest.raises(DamagedResult, match="tile 3 of the result is missing"):
        folder.holding(range(5))


def test_damage_is_noticed(stored: tuple[SegmentFolder, np.ndarray]) -> None:
    folder, _ = stored
    first, last = folder.segments()

    def damaged(segment: Segment) -> bool:
        return is_damaged(segment, stranger_chains.Frames, "frame", 4)

    assert not damaged(first)
    assert not damaged(last)
    runs.spoil_a_chunk(last.path)
    assert damaged(last)
    assert damaged(Segment(first.path, 0, 3))
    assert is_damaged(first, chains.Volume, "row", 4)


def test_chunks_end_where_tiles_end(tmp_path: Path) -> None:
    import h5py

    for tile, depth in [(16, 8), (12, 6), (4, 4), (7, 7), (11, 1)]:
        path, _ = write_segment(
            tmp_path / str(tile), (0, 1), [frames(np.zeros((tile, 4, 4), np.float32))], "frame"
        )
        with h5py.File(path) as file:
            assert file["image"].chunks[0] == depth


def test_a_product_kept_whole_comes_back_with_its_scalars(tmp_path: Path) -> None:
    total: Any = stranger_chains.Total.of(total=np.float32(2.5), rows=np.int32(7))
    write_whole(tmp_path, total)
    back: Any = stored_whole(tmp_path, stranger_chains.Total).read()
    assert back.total.shape == ()
    assert (float(back.total), int(back.rows)) == (2.5, 7)


def test_arrays_that_do_not_fit_the_product_are_the_inputs_fault() -> None:
    source = Source(
        chains.Sinograms,
        {"line": ArrayInMemory(np.zeros((3, 4, 5))), "angles": ArrayInMemory(np.zeros(2))},
    )
    with pytest.raises(InputError, match="axis 'angle' has both 3 and 2 points"):
        source.lengths()


def test_shapes_refuse_to_be_read() -> None:
    like: Any = shapes_only(chains.Sinograms, runs.dark().arrays, "row", 100)
    assert like.line.shape == (5, 100, 32)
    assert np.asarray(like.angles.read()).shape == (5,)
    with pytest.raises(JunctionError):
        np.asarray(like.line)
    with pytest.raises(JunctionError):
        like.line[0]


def test_a_checkpoint_restores_types_and_bits(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    assert load_checkpoint(path, (1, 2)) == ((1, 2), 0, {})
    state = {
        "half": jnp.arange(3, dtype=jnp.bfloat16) / 3,
        "whole": jnp.arange(4, dtype=jnp.int32),
        "wave": jnp.exp(1j * jnp.arange(3)),
        "flag": jnp.asarray(True),
    }
    save_checkpoint(path, state, 5, {"error": [0.1, 1 / 3]})
    back, done, metrics = load_checkpoint(
        path, {name: jnp.zeros_like(a) for name, a in state.items()}
    )
    assert (done, metrics) == (5, {"error": [0.1, 1 / 3]})
    for name, array in state.items():
        assert back[name].dtype == array.dtype
        assert np.asarray(back[name]).tobytes() == np.asarray(array).tobytes()
    with pytest.raises(DamagedResult, match="another calculation"):
        load_checkpoint(path, [jnp.zeros(3)])


def test_a_random_key_in_a_state_is_refused(tmp_path: Path) -> None:
    import jax

    with pytest.raises(PluginError, match="holds a random key"):
        save_checkpoint(tmp_path / "state.npz", [jax.random.key(0)], 1, {})
