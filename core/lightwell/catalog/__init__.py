"""What is known of all datasets, and one language to ask for it."""

from lightwell.catalog.journal import Event, export_events
from lightwell.catalog.json_form import from_json, to_json
from lightwell.catalog.matcher import matches
from lightwell.catalog.protocol import Catalog, Count, Facet, Lineage, Page
from lightwell.catalog.query import (
    EVERY,
    And,
    Compare,
    Contains,
    Exists,
    In,
    Not,
    Or,
    Query,
    Text,
    where,
)
from lightwell.catalog.records import Change, FacetValue
from lightwell.catalog.sqlite import SqliteCatalog
from lightwell.catalog.text_form import parse_query

__all__ = [
    "EVERY",
    "And",
    "Catalog",
    "Change",
    "Compare",
    "Contains",
    "Count",
    "Event",
    "Exists",
    "Facet",
    "FacetValue",
    "In",
    "Lineage",
    "Not",
    "Or",
    "Page",
    "Query",
    "SqliteCatalog",
    "Text",
    "export_events",
    "from_json",
    "matches",
    "parse_query",
    "to_json",
    "where",
]
