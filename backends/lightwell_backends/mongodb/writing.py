"""One writer at a time, and its writes as one: a transaction, or an intent that is redone.

A server of its own has no transactions. There a writer takes the lock, stores what it is about
to write as an intent (one document, so all of it or nothing: from here on it counts), does it, and
clears the intent. Whoever finds an intent of a dead writer does it again; each act can be
done twice. The last write waits for the journal of the server, which has the earlier ones before
it. On a replica set a transaction holds all of it, the lock too.
"""

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from pymongo import InsertOne, ReplaceOne, ReturnDocument, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, OperationFailure

from lightwell.errors import Conflict
from lightwell.failpoints import failpoint
from lightwell_backends.mongodb.documents import WRITE
from lightwell_backends.mongodb.layout import STATE, WRITER
from lightwell_backends.mongodb.server import Document, Server

__all__ = ["Act", "Lock", "Writes"]

LEASE_SECONDS: Final = 15
"""How long a writer may be silent before others take it for dead."""

_BUSY_SECONDS: Final = 30.0
_SHORTEST_WAIT: Final = 0.001
_LONGEST_WAIT: Final = 0.03
_AT_ONCE: Final = 500
_INTENT: Final = "intent"
_QUICK: Final = WriteConcern(w=1, j=False)
_DUPLICATE: Final = 11000
_NO_SUCH_COLLECTION: Final = 26

Act = Document
"""One write that can be done twice: `{"into", "document"}`."""


@dataclass
class Writes:
    """What a writer will have written, its number, and those of the last event and change."""

    number: int
    event: int
    change: int
    acts: list[Act] = field(default_factory=list)
    renames: Sequence[tuple[str, str]] = ()


class Lock:
    """The lock of the writers, held under a name of its own until it is given back."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._holder = secrets.token_hex(8)
        self._until = 0.0

    def take(self) -> Writes:
        """Wait for the lock, do what a dead writer had begun, and return the last numbers.

        Raises `Conflict` if others hold it too long.
        """
        deadline = time.monotonic() + _BUSY_SECONDS
        wait = _SHORTEST_WAIT
        while time.monotonic() < deadline:
            state = self._attempt()
            if state is None:
                time.sleep(wait * (0.5 + secrets.randbelow(100) / 100))
                wait = min(2 * wait, _LONGEST_WAIT)
            elif state["intent"] is not None:
                self._redo(state["intent"])
            else:
                failpoint("catalog-begun")
                return Writes(state["write"] + 1, state["event"], state["change"])
        raise Conflict(
            f"other writers kept the catalog locked for {_BUSY_SECONDS:.0f} s",
            where=self._server.location,
            remedy="Try again when they are done",
        )

    def _attempt(self) -> Document | None:
        """Take the lock if nobody has it, by the clock of the server."""
        self._until = time.monotonic() + LEASE_SECONDS / 2
        free = {"$or": [{"holder": None}, {"$expr": {"$lt": ["$until", "$$NOW"]}}]}
        taken = {"$set": {"holder": self._holder, "until": _lease()}}
        found: Document | None = self._state().find_one_and_update(
            {"_id": WRITER, **free}, [taken], return_document=ReturnDocument.AFTER
        )
        return found

    def hold(self) -> None:
        """Say that this writer lives, if it has not for a while.

        Raises `Conflict` if others took it for dead.
        """
        if time.monotonic() < self._until:
            return
        self._until = time.monotonic() + LEASE_SECONDS / 2
        mine = {"_id": WRITER, "holder": self._holder}
        found = self._state().update_one(mine, [{"$set": {"until": _lease()}}])
        if not found.matched_count:
            raise self._lost()

    def give_back(self) -> None:
        """Give the lock back with nothing written."""
        mine = {"_id": WRITER, "holder": self._holder}
        self._state().update_one(mine, {"$set": {"holder": None, "until": None}})

    def commit(self, writes: Writes) -> None:
        """Write everything or nothing, and give the lock back.

        Raises `Conflict` if others took this writer for dead.
        """
        if not writes.acts and not writes.renames:
            self.give_back()
            return
        failpoint("catalog-written")
        if self._server.has_transactions and not writes.renames:
            with self._server.client.start_session() as session:
                session.with_transaction(lambda within: self._within(within, writes))
        else:
            self._by_intent(writes)
        failpoint("catalog-committed")

    def _within(self, session: "ClientSession", writes: Writes) -> None:
        self._release(_numbers(writes), session)
        for into, documents in _grouped(writes.acts):
            self._server.database[into].bulk_write(
                [_replacing(into, each) for each in documents], session=session
            )

    def _by_intent(self, writes: Writes) -> None:
        # Beside the state, since several documents of a dataset could be more than one may hold.
        intent = secrets.token_hex(8)
        acts = [
            {"_id": {"intent": intent, "number": number}, **act}
            for number, act in enumerate(writes.acts)
        ]
        for start in range(0, len(acts), _AT_ONCE):
            self._quick(_INTENT).insert_many(acts[start : start + _AT_ONCE])
            self.hold()
        said = {
            "name": intent,
            "numbers": _numbers(writes),
            "renames": [list(pair) for pair in writes.renames],
        }
        mine = {"_id": WRITER, "holder": self._holder}
        if not self._state().update_one(mine, {"$set": {"intent": said}}).matched_count:
            raise self._lost()
        failpoint("catalog-intended")
        self._do(said, writes.acts)

    def _redo(self, intent: Document) -> None:
        """Do what a dead writer had made up its mind to, and give the lock back."""
        found = self._server.database[_INTENT].find({"_id.intent": intent["name"]})
        self._do(intent, sorted(found, key=lambda act: int(act["_id"]["number"])))

    def _do(self, intent: Document, acts: Iterable[Act]) -> None:
        """Do every act, also those done before, and give the lock back."""
        for old, new in intent["renames"]:
            try:
                self._server.database[old].rename(new, dropTarget=True)
            except OperationFailure as error:
                if error.code != _NO_SUCH_COLLECTION:
                    raise
            failpoint("reindex-renamed")
        for into, documents in _grouped(acts):
            writing = [_replacing(into, each) for each in documents]
            for start in range(0, len(writing), _AT_ONCE):
                _twice(self._quick(into), writing[start : start + _AT_ONCE])
                self.hold()
            failpoint("catalog-acted")
        self._quick(_INTENT).delete_many({"_id.intent": intent["name"]})
        self._release(intent["numbers"], None)

    def _release(self, numbers: Mapping[str, int], session: "ClientSession | None") -> None:
        """Give the lock back with the new numbers; waits for the server's journal."""
        done = {"holder": None, "until": None, "intent": None, **numbers}
        mine = {"_id": WRITER, "holder": self._holder}
        found = self._server.database[STATE].update_one(mine, {"$set": done}, session=session)
        if not found.matched_count:
            raise self._lost()

    def _lost(self) -> Conflict:
        return Conflict(
            f"this process was silent for {LEASE_SECONDS} s, and another writer took over",
            where=self._server.location,
            remedy="Repeat the change",
        )

    def _state(self) -> Any:
        return self._quick(STATE)

    def _quick(self, name: str) -> Any:
        """A collection whose writes the last one of the writer vouches for."""
        return self._server.database[name].with_options(write_concern=_QUICK)


def _numbers(writes: Writes) -> dict[str, int]:
    return {"write": writes.number, "event": writes.event, "change": writes.change}


def _lease() -> Document:
    return {"$add": ["$$NOW", LEASE_SECONDS * 1000]}


def _grouped(acts: Iterable[Act]) -> list[tuple[str, list[Document]]]:
    """Return the documents by collection, in the order in which they are to be written."""
    found: dict[str, list[Document]] = {}
    for act in acts:
        found.setdefault(act["into"], []).append(act["document"])
    # Lists of files before the documents that name them, the change log last: who follows it
    # finds what it tells of.
    order = ("manifest", "replica", "dataset", "total", "journal", "change")
    return [(name, found[name]) for name in order if name in found]


def _replacing(into: str, document: Document) -> "ReplaceOne[Document] | InsertOne[Document]":
    if into == "dataset":
        # Not over what a later writer wrote, where this is done a second time.
        older = {"_id": document["_id"], WRITE: {"$lt": document[WRITE]}}
        return ReplaceOne(older, document, upsert=True)
    return ReplaceOne({"_id": document["_id"]}, document, upsert=True)


def _twice(collection: Any, writing: list[Any]) -> None:
    """Write documents of which some may stand there already."""
    with suppress(BulkWriteError):
        collection.bulk_write(writing, ordered=False)
        return
    try:
        collection.bulk_write(writing, ordered=False)
    except BulkWriteError as error:
        if any(each["code"] != _DUPLICATE for each in error.details["writeErrors"]):
            raise
