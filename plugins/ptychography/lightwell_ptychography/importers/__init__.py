"""The file formats ptychographic instruments and programs write, one module each."""

from lightwell_ptychography.importers.cxi import Cxi
from lightwell_ptychography.importers.hxn import Hxn
from lightwell_ptychography.importers.npz import TikeArchive
from lightwell_ptychography.importers.nxcxi import NXcxiPtycho
from lightwell_ptychography.importers.ptyd import Ptyd

__all__ = ["IMPORTERS"]

IMPORTERS = (Cxi, Hxn, NXcxiPtycho, Ptyd, TikeArchive)
