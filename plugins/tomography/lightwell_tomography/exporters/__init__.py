"""The file formats tomography programs expect, one module each, and our own files read again."""

from lightwell_tomography.exporters.converted import ConvertedScan
from lightwell_tomography.exporters.dxchange import ToDataExchange

__all__ = ["ConvertedScan", "ToDataExchange"]
