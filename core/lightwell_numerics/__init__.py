"""Numerical parts that kernels of several techniques share; imports jax and numpy only."""
