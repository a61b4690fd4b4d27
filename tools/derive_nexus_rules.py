"""Derive the rules that `lightwell validate` ships from a folder of NXDL files.

    cd core/lightwell/nexus/rules
    python ../../../../tools/derive_nexus_rules.py NXDL_FOLDER v2026.01 > nexus-v2026.01.json

Facts only: names, types, unit categories, enumerations, occurrences, dimensions, links. The
documentation in the NXDL files, which are LGPL-3.0-or-later, is left where it is.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from lightwell.nexus.validation.ruleset import rules_from_nxdl


def text_of(compact: dict[str, Any]) -> str:
    """Return the JSON text of a set of rules, one definition a line, as a change is read best."""
    return "".join(_lines(compact))


def _lines(compact: dict[str, Any]) -> Iterator[str]:
    yield f'{{"form":{compact["form"]},"version":{json.dumps(compact["version"])},"definitions":[\n'
    definitions = compact["definitions"]
    for number, definition in enumerate(definitions, 1):
        end = ",\n" if number < len(definitions) else "\n"
        yield json.dumps(definition, separators=(",", ":"), ensure_ascii=False) + end
    yield "]}\n"


if __name__ == "__main__":
    folder, version = sys.argv[1:]
    sys.stdout.write(text_of(rules_from_nxdl(folder, version).to_compact()))
