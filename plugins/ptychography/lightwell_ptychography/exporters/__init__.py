"""The files other programs of ptychography read."""

from lightwell_ptychography.exporters.nxcxi import ToNXcxiPtycho

__all__ = ["CONVERTERS"]

CONVERTERS = (ToNXcxiPtycho,)
