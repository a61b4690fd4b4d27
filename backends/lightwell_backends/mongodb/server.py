"""A MongoDB server: its address, the connection to it, and what it says in sentences."""

import os
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)

from lightwell.catalog.records import DamagedCatalog
from lightwell.errors import Conflict, ParameterError, UnreadableFile

__all__ = ["PASSWORD", "USER", "Document", "Server"]

Document = dict[str, Any]

USER: Final = "LIGHTWELL_MONGODB_USER"
PASSWORD: Final = "LIGHTWELL_MONGODB_PASSWORD"  # noqa: S105 - the name of a variable
_DATABASE: Final = "lightwell"
_PATIENCE: Final = "serverSelectionTimeoutMS"
_PATIENCE_MS: Final = 10_000
_NOT_ALLOWED: Final = (13, 18, 31, 8000)


class Server:
    """One database of a server, connected to when it is first used, anew after a fork.

    Name and password come from LIGHTWELL_MONGODB_USER and LIGHTWELL_MONGODB_PASSWORD.
    Raises `ParameterError` for an address that holds a password, or is none.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise ParameterError(
                "the address of the catalog holds a name or a password",
                where=f"{parts.scheme}://…@{parts.netloc.rpartition('@')[2]}{parts.path}",
                remedy=f"Leave it out there, and set {USER} and {PASSWORD} in the environment",
            )
        self.location = url.partition("?")[0]
        self._url = url
        self._name = parts.path.strip("/") or _DATABASE
        self._client: tuple[int, MongoClient[Document]] | None = None
        self._transactions: bool | None = None

    @property
    def client(self) -> "MongoClient[Document]":
        """The connection of this process."""
        if self._client is None or self._client[0] != os.getpid():
            client = self._connected()
            # Nobody closes a catalog that is forgotten, and the driver would complain of it.
            weakref.finalize(self, client.close)
            self._client = (os.getpid(), client)
        return self._client[1]

    @property
    def database(self) -> "Database[Document]":
        """The database of the catalog."""
        return self.client[self._name]

    @property
    def has_transactions(self) -> bool:
        """Whether several documents can be written as one: on replica sets, not on one server."""
        known = self._transactions
        if known is None:
            hello = self.database.command("hello")
            known = self._transactions = "setName" in hello or hello.get("msg") == "isdbgrid"
        return known

    def _connected(self) -> "MongoClient[Document]":
        user, password = os.environ.get(USER), os.environ.get(PASSWORD)
        if bool(user) != bool(password):
            raise ParameterError(f"set both {USER} and {PASSWORD}, or neither")
        try:
            with warnings.catch_warnings():
                # The driver warns of an option it does not know, and goes on without it.
                warnings.simplefilter("error", UserWarning)
                return self._client_of(user or None, password or None)
        except (ConfigurationError, InvalidURI, ValueError, UserWarning) as error:
            raise ParameterError(
                f"the address of the catalog is not understood ({error})",
                where=self.location,
                remedy='Write catalog = "mongodb://host:27017/lightwell?replicaSet=name"',
            ) from error

    def _client_of(self, user: str | None, password: str | None) -> "MongoClient[Document]":
        patience: dict[str, Any] = {} if _PATIENCE in self._url else {_PATIENCE: _PATIENCE_MS}
        return MongoClient(
            self._url,
            username=user,
            password=password,
            appname="lightwell",
            # What was acknowledged survives a crash: a plain server acknowledges earlier.
            w="majority",
            journal=True,
            **patience,
        )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what server and driver say into a sentence with a remedy."""
        try:
            yield
        except ConnectionFailure as error:
            raise UnreadableFile(
                f"the catalog's server does not answer ({_short(error)})",
                where=self.location,
                remedy="Check the address, and that the server runs and can be reached from here",
            ) from error
        except DuplicateKeyError as error:
            raise Conflict(
                f"somebody else wrote meanwhile ({_short(error)})",
                where=self.location,
                remedy="Get it again and repeat the change",
            ) from error
        except OperationFailure as error:
            if error.code in _NOT_ALLOWED:
                raise UnreadableFile(
                    f"the catalog's server does not let you in ({_short(error)})",
                    where=self.location,
                    remedy=f"Set {USER} and {PASSWORD}, or ask whoever keeps the server",
                ) from error
            raise DamagedCatalog(
                f"the catalog's server cannot do it ({_short(error)})", where=self.location
            ) from error
        except PyMongoError as error:
            raise UnreadableFile(
                f"the catalog's server fails ({_short(error)})", where=self.location
            ) from error

    def close(self) -> None:
        """Close the connection of this process; it is made again when needed."""
        if self._client is not None and self._client[0] == os.getpid():
            self._client[1].close()
        self._client = None


def _short(error: Exception) -> str:
    return str(error).partition(", full error")[0].partition(", Timeout:")[0][:200]
