import pickle

import pytest

from lightwell import errors


def classes() -> list[type[errors.LightwellError]]:
    return [
        getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)
    ]


@pytest.mark.parametrize("cls", classes())
def test_every_error_survives_pickling(cls: type[errors.LightwellError]) -> None:
    error = cls("no such thing", where="a.h5:/x", remedy="Give one")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is cls
    assert str(again) == str(error) == "no such thing. Where: a.h5:/x. Give one."
    assert (again.what, again.where, again.remedy) == ("no such thing", "a.h5:/x", "Give one")


class Special(errors.InputError):
    def __init__(self, path: str, size: int) -> None:
        super().__init__(f"{path} has {size} bytes", where=path)
        self.size = size


def test_a_subclass_with_its_own_signature_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(Special("a.h5", 3)))  # noqa: S301 - our own
    assert (again.what, again.where, again.size) == ("a.h5 has 3 bytes", "a.h5", 3)


def test_exit_status_says_whose_fault_it_was() -> None:
    assert errors.LightwellError.exit_status == 1
    assert errors.WorkerError.exit_status == errors.PluginError.exit_status == 1
    assert errors.Interrupted.exit_status == 75
    assert {c.exit_status for c in classes() if issubclass(c, errors.InputError)} == {2}


def test_python_kinds() -> None:
    assert issubclass(errors.UnitError, ValueError)
    assert issubclass(errors.JunctionError, TypeError)


def test_text_is_one_run_of_sentences() -> None:
    assert str(errors.NotFound("Is it there?")) == "Is it there?"
    assert str(errors.NotFound("gone.", remedy="Look.")) == "gone. Look."
