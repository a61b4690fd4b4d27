"""The file formats scattering instruments and their programs write, one module each."""

from lightwell_saxs.importers.als733 import Als733
from lightwell_saxs.importers.aps_usaxs import ApsUsaxs
from lightwell_saxs.importers.bliss import BlissScattering
from lightwell_saxs.importers.cansas_xml import CanSasXml
from lightwell_saxs.importers.curves import ColumnCurve, NikaCurve, RawCurve
from lightwell_saxs.importers.eiger import Eiger
from lightwell_saxs.importers.images import DetectorImage
from lightwell_saxs.importers.nxcansas import NXcanSAS
from lightwell_saxs.importers.nxsas import NXsas

__all__ = ["IMPORTERS", "NXsas"]

IMPORTERS = (
    Als733,
    ApsUsaxs,
    BlissScattering,
    CanSasXml,
    ColumnCurve,
    DetectorImage,
    Eiger,
    NikaCurve,
    NXcanSAS,
    NXsas,
    RawCurve,
)
