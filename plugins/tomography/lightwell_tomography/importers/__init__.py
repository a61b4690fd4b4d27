"""The file formats tomography instruments write, one module each."""

from lightwell_tomography.importers.als832 import Als832
from lightwell_tomography.importers.als832_present import Als832Present
from lightwell_tomography.importers.bliss import BlissTomography
from lightwell_tomography.importers.dxchange import DataExchange
from lightwell_tomography.importers.nxtomo import NXtomo
from lightwell_tomography.importers.tiff_folder import TiffFolder
from lightwell_tomography.importers.xradia import Xradia

__all__ = [
    "Als832",
    "Als832Present",
    "BlissTomography",
    "DataExchange",
    "NXtomo",
    "TiffFolder",
    "Xradia",
]
