"""Persons and the circles they belong to, as the words that grants and documents use."""

from typing import Final

from lightwell.errors import ParameterError
from lightwell.users import User
from lightwell.words import nearest

__all__ = ["PUBLIC", "named", "tokens_of"]

PUBLIC: Final = "public"
"""Everybody, whether the installation knows them or not."""

_KINDS: Final = ("user", "proposal", "group", "staff")
_LONGEST: Final = 200


def named(text: str) -> str:
    """Return the word for a person or circle; a bare name is a person's.

    >>> named("mia"), named("proposal:als-1"), named("staff:8.3.2"), named("public")
    ('user:mia', 'proposal:als-1', 'staff:8.3.2', 'public')

    Raises `ParameterError` for a kind of circle that there is not, or a name that cannot be one.
    """
    if text == PUBLIC:
        return text
    kind, colon, name = text.partition(":")
    if not colon:
        kind, name = "user", text
    if kind not in _KINDS:
        known = nearest(kind, (*_KINDS, PUBLIC))
        raise ParameterError(f"there is no kind of reader '{kind}'", remedy=known)
    if not name.strip() or len(name) > _LONGEST or not name.isprintable():
        raise ParameterError(
            f"{text[:80]!r} names nobody",
            remedy="Write a user's name, or e.g. proposal:als-1, group:microct, staff:8.3.2",
        )
    return f"{kind}:{name}"


def tokens_of(user: User) -> tuple[str, ...]:
    """Return the words a user answers to: the own name, proposals, groups and beamlines.

    >>> tokens_of(User("mia", proposals=frozenset({"als-1"}), staff_of=frozenset({"8.3.2"})))
    ('user:mia', 'proposal:als-1', 'staff:8.3.2')
    """
    return (
        f"user:{user.name}",
        *(f"proposal:{name}" for name in sorted(user.proposals)),
        *(f"group:{name}" for name in sorted(user.groups)),
        *(f"staff:{name}" for name in sorted(user.staff_of)),
    )
