"""The policy of access told a second time, in plain Python over plain records."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

EMBARGO_DAYS = 15
PROPOSALS = {"als-1": ("mia", "bo.b"), "als-2": ("eve",)}
STAFF = {"8.3.2": ("dula",), "12.2.2": ("dula", "eve")}
GROUPS = {"micro": ("bo.b",), "open": ("eve", "dula")}
PEOPLE = ("mia", "bo.b", "eve", "dula", "nobody")
KEEPER = "ops"
READERS = (
    *PEOPLE,
    "proposal:als-1",
    "proposal:als-2",
    "group:micro",
    "group:open",
    "staff:12.2.2",
)
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Record:
    """What the policy has to know of one dataset, and what else is compared."""

    owner: str
    proposal: str | None
    beamline: str | None
    created: datetime
    inputs: tuple[str, ...]
    size: int
    sample: str = "shell"
    retired: bool = False
    grants: dict[str, datetime | None] = field(default_factory=dict)
    public: datetime | None = None
    never_public: bool = False


def words(name: str) -> set[str]:
    """What a person answers to."""
    circles = {"proposal": PROPOSALS, "staff": STAFF, "group": GROUPS}
    return {f"user:{name}"} | {
        f"{kind}:{circle}"
        for kind, each in circles.items()
        for circle, people in each.items()
        if name in people
    }


class World:
    """The policy in plain Python."""

    def __init__(self) -> None:
        self.datasets: dict[str, Record] = {}
        self.time = START

    def sees(self, name: str, pid: str) -> bool:
        """Somebody sees a dataset granted to them or public; of others those that are theirs,
        and results of which they see all inputs."""
        one = self.datasets.get(pid)
        if one is None:
            return False
        if name == KEEPER:
            return True
        for reader, until in one.grants.items():
            if reader in words(name) and (until is None or self.time < until):
                return True
        if one.public is not None and one.public <= self.time:
            return True
        if one.inputs:
            return all(self.sees(name, each) for each in one.inputs)
        if self.owns(name, one):
            return True
        over = one.created + timedelta(days=EMBARGO_DAYS) <= self.time
        return over and one.public is None and not one.never_public

    def owns(self, name: str, one: Record) -> bool:
        return (
            name == one.owner
            or name in PROPOSALS.get(one.proposal or "", ())
            or name in STAFF.get(one.beamline or "", ())
        )

    def changes(self, name: str, pid: str) -> bool:
        return name == KEEPER or (self.sees(name, pid) and self.owns(name, self.datasets[pid]))

    def shares(self, name: str, pid: str) -> bool:
        """Who may share a dataset cares for everything it goes back to."""
        if name == KEEPER:
            return pid in self.datasets
        if not self.sees(name, pid):
            return False
        return self._cares(name, pid)

    def _cares(self, name: str, pid: str) -> bool:
        one = self.datasets.get(pid)
        if one is None:
            return False
        if one.inputs:
            return all(self._cares(name, each) for each in one.inputs)
        return name == one.owner or name in STAFF.get(one.beamline or "", ())
