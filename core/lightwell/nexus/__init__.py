"""NeXus: entries to files and back, and the header that importers read with."""

from lightwell.nexus.header import Header
from lightwell.nexus.read import entry_names, is_ours, read_entry
from lightwell.nexus.write import add_entry, write_entry

__all__ = ["Header", "add_entry", "entry_names", "is_ours", "read_entry", "write_entry"]
