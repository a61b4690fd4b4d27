"""Sessions: an installation opened by one user, and the verbs of everyday work."""

from lightwell.session.session import Session, open

__all__ = ["Session", "open"]
