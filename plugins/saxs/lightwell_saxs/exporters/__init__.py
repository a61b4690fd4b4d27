"""The files other programs of scattering read, one module each."""

from lightwell_saxs.exporters.cansas1d import ToCanSas1d
from lightwell_saxs.exporters.columns import ToColumns
from lightwell_saxs.exporters.nxazint import ToNXazint
from lightwell_saxs.exporters.nxcansas import ToNXcanSAS

__all__ = ["CONVERTERS"]

CONVERTERS = (ToNXcanSAS, ToNXazint, ToCanSas1d, ToColumns)
