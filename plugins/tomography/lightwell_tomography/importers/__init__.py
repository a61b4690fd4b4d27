"""The file formats tomography instruments write, one module each."""

from lightwell_tomography.importers.dxchange import DataExchange
from lightwell_tomography.importers.nxtomo import NXtomo
from lightwell_tomography.importers.tiff_folder import TiffFolder

__all__ = ["DataExchange", "NXtomo", "TiffFolder"]
