from lightwell.access import EVERYTHING, EverythingForTheLocalUser
from lightwell.catalog import from_json, matches
from lightwell.users import User

MIA, BO = User("mia"), User("bo")


def test_the_local_user_sees_everything_and_others_their_own() -> None:
    rule = EverythingForTheLocalUser(MIA)
    assert rule.restriction(MIA) == EVERYTHING
    assert matches(from_json(rule.restriction(MIA)), {"owner": "bo"})
    assert not matches(from_json(rule.restriction(BO)), {"owner": "mia"})
    assert not matches(from_json(rule.restriction(BO)), {})
