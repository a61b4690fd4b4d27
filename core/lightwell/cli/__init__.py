"""The command line: `lightwell ingest`, `find`, `run`, … each verb with --json."""

from lightwell.cli.main import app, main

__all__ = ["app", "main"]
