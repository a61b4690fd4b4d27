"""Ptychography: scans of overlapping frames, and the object and the light found from them."""
