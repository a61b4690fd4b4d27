"""A catalog in MongoDB, for a facility whose services and people share one."""

from lightwell_backends.mongodb.catalog import MongoCatalog
from lightwell_backends.mongodb.compiler import compile_filter

__all__ = ["MongoCatalog", "compile_filter"]
