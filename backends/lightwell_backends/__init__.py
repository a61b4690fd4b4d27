"""Places lightwell can work with: databases, tape, object stores, clusters."""
