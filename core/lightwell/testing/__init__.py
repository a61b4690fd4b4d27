"""The conformance kit that ships with lightwell: what a plugin has to keep.

`check_importer` and `check_plugin` raise AssertionError with a sentence, so they stand in any test
runner's tests; `conformance` does all of it and answers, as `lightwell plugins check` prints it.
"""

from lightwell.testing.conformance import Check, conformance
from lightwell.testing.importers import check_importer
from lightwell.testing.plugins import check_plugin
from lightwell.testing.steps import StepCheck, step_checks

__all__ = ["Check", "StepCheck", "check_importer", "check_plugin", "conformance", "step_checks"]
