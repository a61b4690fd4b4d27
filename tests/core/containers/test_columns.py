"""Numbers in text and in XML, read whatever stands around them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.containers.columns import ColumnArray, read_columns
from lightwell.containers.xml_numbers import XmlArray, read_xml
from lightwell.errors import UnreadableFile
from lightwell.files import File

NUMBERS = st.floats(-1e30, 1e30)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=3, max_size=20),
    st.sampled_from([" ", "\t", ",", "; "]),
    st.sampled_from(["", "# a comment\n", "7\n"]),
)
def test_columns_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[float, ...]],
    separator: str,
    before: str,
) -> None:
    path = tmp_path_factory.mktemp("columns") / "a.dat"
    lines = [separator.join(map(repr, row)) for row in rows]
    path.write_text(before + "\n".join(lines) + "\n# after: it\n", encoding="utf-8")
    found = read_columns(File(path))
    assert found is not None
    np.testing.assert_array_equal(found.values, rows)
    assert found.after == ("# after: it",)
    np.testing.assert_array_equal(
        ColumnArray(File(path), 2).read((slice(1, 3),)), found.values[1:3, 2]
    )


def test_what_holds_no_columns_is_none(tmp_path: Path) -> None:
    for name, content in (("a.txt", b"no\nnumbers\n"), ("b.dat", b"1 2\n\0\0"), ("c.dat", b"")):
        (tmp_path / name).write_bytes(content)
        assert read_columns(File(tmp_path / name)) is None
    (tmp_path / "d.dat").write_text("1 2\n3 4\n5 6\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="no column 5"):
        ColumnArray(File(tmp_path / "d.dat"), 5)


def test_numbers_of_xml_are_an_array(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<r xmlns="urn:x"><e><p><q u="1">1</q></p><p><q> 2e3 </q></p><p><q/></p></e></r>',
        encoding="utf-8",
    )
    np.testing.assert_array_equal(XmlArray(File(path), "e/p/q").read(), [1.0, 2000.0, np.nan])
    assert XmlArray(File(path), "e[1]/p/q").shape == (0,)


def test_xml_that_is_damaged_or_swells_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<r><e>", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="not whole XML"):
        read_xml(File(path))
    path.write_text('<!DOCTYPE r [<!ENTITY a "aa">]><r>&a;</r>', encoding="utf-8")
    assert read_xml(File(path)) is None
    path.write_text("plain", encoding="utf-8")
    assert read_xml(File(path)) is None
