"""The schemas of a scan and of its reconstruction."""

import pytest

from lightwell.model import entry_from_document
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Reconstruction, Tomography


@pytest.mark.parametrize("schema", [Tomography, Reconstruction])
def test_a_document_opens_as_its_own_class(schema: type[Tomography]) -> None:
    entry = schema(title="tooth")
    document = entry.document()
    assert document["definition"] == schema.definition
    opened = entry_from_document(document, {str(schema.definition): schema})
    assert type(opened) is schema
    assert opened == entry


def test_without_the_plugin_a_scan_opens_as_an_entry() -> None:
    opened = entry_from_document(Tomography(title="tooth").document(), {})
    assert opened.title == "tooth"
    assert opened.definition_name == "NXtomo"


def test_frames_have_the_keys_of_nxtomo() -> None:
    assert (PROJECTION, FLAT, DARK) == (0, 1, 2)
