"""The conformance kit that ships with lightwell: what a plugin has to keep, as two calls.

Both raise AssertionError with a sentence, so they stand in any test runner's tests.
"""

from lightwell.testing.importers import check_importer
from lightwell.testing.plugins import check_plugin

__all__ = ["check_importer", "check_plugin"]
