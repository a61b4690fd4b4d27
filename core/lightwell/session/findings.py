"""What a check finds."""

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One difference: a code, where it is, what is wrong, and the command or act that mends it."""

    code: str
    where: str
    what: str
    remedy: str
    pid: str | None = None
