"""Calibrations of ptychography: the scanner from refined positions, the focus from the frames."""

from lightwell_ptychography.calibrations.focus import defocus
from lightwell_ptychography.calibrations.scanner import Refined, positions

__all__ = ["Refined", "defocus", "positions"]
