"""What lightwell brings for every technique, through the same hooks as a plugin."""

from typing import TYPE_CHECKING

from lightwell.hooks import hookimpl

if TYPE_CHECKING:
    from lightwell.importers import Importer

lightwell_api = 1


@hookimpl
def provide_importers() -> "list[Importer]":
    """Offer the importers of any NeXus file, and of what lightwell converted."""
    from lightwell.conversion import ConvertedEntry
    from lightwell.plain_nexus import PlainNexus

    return [ConvertedEntry(), PlainNexus()]
