"""File formats several techniques share: bytes and headers, without their meaning."""

__all__: list[str] = []
