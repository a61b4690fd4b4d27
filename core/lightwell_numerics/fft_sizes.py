"""Lengths at which a fast Fourier transform is fast."""

__all__ = ["fast_length"]


def fast_length(least: int, multiple: int = 2) -> int:
    """Smallest length >= `least` that has only the prime factors 2, 3, 5 and divides by `multiple`.

    Raises ValueError when `multiple` itself has another prime factor, since no length would do.
    """
    if multiple < 1 or not _is_smooth(multiple):
        raise ValueError(f"multiple must be a product of 2, 3 and 5, not {multiple}")
    length = max(1, -(-least // multiple)) * multiple
    while not _is_smooth(length):
        length += multiple
    return length


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number == 1
