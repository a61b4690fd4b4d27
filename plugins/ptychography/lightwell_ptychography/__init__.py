"""Ptychography: a plugin that loads and offers nothing yet."""
