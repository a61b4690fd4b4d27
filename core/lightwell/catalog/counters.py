"""Facets kept counted: how many datasets have each value of the fields people browse by."""

# ruff: noqa: S608 - only names of our own tables and columns go into the text.

from typing import Final

from lightwell.catalog.fields import stored_key
from lightwell.model.canonical import CANONICAL_FIELDS

__all__ = ["COUNTED", "COUNTED_COLUMNS", "COUNTERS", "DROP_COUNTERS", "RECOUNT"]

COUNTED_COLUMNS: Final = ("kind", "definition", "importer", "owner", "proposal")
"""Columns whose values are counted; the others are nearly all different."""

_UNIQUE: Final = ("title", "description", "scan")

COUNTED: Final = (
    *(
        stored_key(("canonical", name))
        for name, field in CANONICAL_FIELDS.items()
        if field.kind == "text" and name not in _UNIQUE
    ),
    *("flags", "replicas.store", "replicas.tier", "replicas.state"),
)
"""Paths in the attribute table that are counted from the start; `add_index` adds others."""


def _more(path: str, kind: str, value: str) -> str:
    return (
        f"INSERT INTO facet (path, type, value, datasets) VALUES ({path}, {kind}, {value}, 1) "
        "ON CONFLICT (path, type, value) DO UPDATE SET datasets = datasets + 1;"
    )


def _fewer(path: str, kind: str, value: str) -> str:
    row = f"path = {path} AND type = {kind} AND value = {value}"
    return (
        f"UPDATE facet SET datasets = datasets - 1 WHERE {row};"
        f"DELETE FROM facet WHERE {row} AND datasets = 0;"
    )


def _columns(side: str, act: str) -> str:
    """Return statements that count the columns of one dataset, missing ones under no path."""
    found = "".join(
        f"UPDATE facet SET datasets = datasets {act} 1 WHERE {side}.{column} IS NOT NULL "
        f"AND path = '{column}' AND type = 's' AND value = {side}.{column};"
        for column in COUNTED_COLUMNS
    )
    if act == "-":
        return found + "DELETE FROM facet WHERE datasets = 0;"
    fresh = "".join(
        f"INSERT OR IGNORE INTO facet SELECT '{column}', 's', {side}.{column}, 0 "
        f"WHERE {side}.{column} IS NOT NULL;"
        for column in COUNTED_COLUMNS
    )
    return fresh + found


def _attributes(side: str, act: str) -> str:
    """Return statements that count all attributes of one dataset, when it comes or goes."""
    rows = (
        f"SELECT path, type, value FROM attr WHERE doc = {side}.id AND type <> 'p' "
        "AND path IN (SELECT path FROM counted)"
    )
    fresh = f"INSERT OR IGNORE INTO facet SELECT path, type, value, 0 FROM ({rows});"
    change = f"UPDATE facet SET datasets = datasets {act} 1 WHERE (path, type, value) IN ({rows});"
    return fresh + change if act == "+" else change + "DELETE FROM facet WHERE datasets = 0;"


_SHOWN: Final = "(SELECT retired FROM dataset WHERE id = {}.doc) = 0"
_IS_COUNTED: Final = "{0}.type <> 'p' AND {0}.path IN (SELECT path FROM counted)"
_CHANGED: Final = " OR ".join(f"OLD.{each} IS NOT NEW.{each}" for each in COUNTED_COLUMNS)

COUNTERS: Final = f"""
    CREATE TRIGGER count_attr_more AFTER INSERT ON attr
        WHEN {_IS_COUNTED.format("NEW")} AND {_SHOWN.format("NEW")}
        BEGIN {_more("NEW.path", "NEW.type", "NEW.value")} END;
    CREATE TRIGGER count_attr_fewer AFTER DELETE ON attr
        WHEN {_IS_COUNTED.format("OLD")} AND {_SHOWN.format("OLD")}
        BEGIN {_fewer("OLD.path", "OLD.type", "OLD.value")} END;
    CREATE TRIGGER count_columns_more AFTER INSERT ON dataset WHEN NEW.retired = 0
        BEGIN {_columns("NEW", "+")} END;
    CREATE TRIGGER count_columns_changed AFTER UPDATE ON dataset
        WHEN OLD.retired = 0 AND NEW.retired = 0 AND ({_CHANGED})
        BEGIN {_columns("NEW", "+")} {_columns("OLD", "-")} END;
    CREATE TRIGGER count_retired AFTER UPDATE ON dataset
        WHEN OLD.retired = 0 AND NEW.retired <> 0
        BEGIN {_columns("OLD", "-")} {_attributes("OLD", "-")} END;
    CREATE TRIGGER count_restored AFTER UPDATE ON dataset
        WHEN OLD.retired <> 0 AND NEW.retired = 0
        BEGIN {_columns("NEW", "+")} {_attributes("NEW", "+")} END;
    CREATE TRIGGER count_gone AFTER DELETE ON dataset WHEN OLD.retired = 0
        BEGIN {_columns("OLD", "-")} {_attributes("OLD", "-")} END;
"""
"""Triggers, so that no way of writing leaves the counts behind."""

DROP_COUNTERS: Final = "".join(
    f"DROP TRIGGER IF EXISTS {name};"
    for name in (
        *("count_attr_more", "count_attr_fewer", "count_columns_more", "count_columns_changed"),
        *("count_retired", "count_restored", "count_gone"),
    )
)

RECOUNT: Final = (
    "DELETE FROM facet;"
    + "".join(
        f"INSERT INTO facet SELECT '{column}', 's', {column}, count(*) FROM dataset "
        f"WHERE retired = 0 AND {column} IS NOT NULL GROUP BY {column};"
        for column in COUNTED_COLUMNS
    )
    + "INSERT INTO facet SELECT path, type, value, count(*) FROM attr WHERE type <> 'p' "
    "AND path IN (SELECT path FROM counted) "
    "AND doc IN (SELECT id FROM dataset WHERE retired = 0) GROUP BY path, type, value;"
)
"""Counts everything anew."""
