"""Arithmetic of scattering: pure functions of arrays."""
