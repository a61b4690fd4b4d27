import pwd

import pytest

from lightwell.errors import NotFound
from lightwell.users import local_user


def test_the_operating_system_says_who(monkeypatch: pytest.MonkeyPatch) -> None:
    name = local_user().name
    assert name
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")
    assert local_user().name == name


def test_nobody_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(NotFound, match="no login name"):
        local_user()
