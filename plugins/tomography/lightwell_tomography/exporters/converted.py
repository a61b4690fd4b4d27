"""Scans that `lightwell convert` wrote, as NeXus or as Data Exchange."""

from lightwell.conversion import SelfContained
from lightwell_tomography.schema import Tomography

__all__ = ["ConvertedScan"]


class ConvertedScan(SelfContained):
    """A converted scan says more than its format has places for; all of it is taken."""

    name = "lightwell-nxtomo"
    schema = Tomography
