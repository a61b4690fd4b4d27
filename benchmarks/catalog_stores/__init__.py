"""The stores that benchmarks/catalog.py compares, each behind the same few questions."""
