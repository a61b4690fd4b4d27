"""Where files lie: named stores, and the copies that lie on them."""

from lightwell.storage.replicas import Evidence, Replica, ReplicaState, replicas_of, summaries_of
from lightwell.storage.stores import Store, Stores, Tier

__all__ = [
    "Evidence",
    "Replica",
    "ReplicaState",
    "Store",
    "Stores",
    "Tier",
    "replicas_of",
    "summaries_of",
]
