"""Who is at work."""

import os
from dataclasses import dataclass, field

from lightwell.errors import NotFound

__all__ = ["User", "local_user"]


@dataclass(frozen=True, slots=True)
class User:
    """A person or service, by the name the installation knows them under.

    `proposals` they are a member of, beamlines they are `staff_of`, and `groups`; who somebody is
    does not depend on them.
    """

    name: str
    proposals: frozenset[str] = field(default=frozenset(), compare=False)
    staff_of: frozenset[str] = field(default=frozenset(), compare=False)
    groups: frozenset[str] = field(default=frozenset(), compare=False)

    def __str__(self) -> str:
        return self.name


def local_user() -> User:
    """Return the user this process runs as, from the operating system.

    Raises `NotFound` if the system has no name for it; a name is never made up, because it
    goes into records that prove who did something.
    """
    try:
        import pwd
    except ImportError:  # not a POSIX system
        name = os.environ.get("USERNAME", "")
    else:
        try:
            # The effective user id cannot be set from outside, unlike the variables LOGNAME, USER.
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            name = ""
    if not name:
        raise NotFound(
            "the operating system has no login name for this process",
            remedy="Pass user=User('name') to lightwell.open()",
        )
    return User(name)
