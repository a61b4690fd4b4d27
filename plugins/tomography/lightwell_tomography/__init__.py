"""Parallel-beam tomography: from flat-field correction to reconstructed slices."""
