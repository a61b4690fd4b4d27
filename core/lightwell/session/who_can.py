"""Who can see a dataset, and why: its rules, traced to where each word of them comes from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from lightwell.access import NEVER, PUBLIC, Rule, grants_in, rules_in, tokens_of
from lightwell.datasets import now
from lightwell.errors import NotAllowed, NotFound
from lightwell.session.rights import Rights

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = ["Answer", "Reason", "WhoCan", "who_can"]

Documents: TypeAlias = Mapping[str, Mapping[str, Any]]

_DAY = len("2026-12-31")
_OWN = {
    "owner": "owner",
    "proposal": "members of the proposal",
    "staff": "staff of the beamline",
}


@dataclass(frozen=True)
class Reason:
    """Why a reader sees a dataset; `ended` ones hold no more, or not yet.

    kind : owner, proposal, staff, grant or public; pid : the dataset it comes from, which is
    another one where it is `inherited`.
    """

    reader: str
    kind: str
    pid: str
    inherited: bool = False
    by: str | None = None
    until: str | None = None
    public_from: str | None = None
    ended: bool = False

    def __str__(self) -> str:
        end = f", inherited from {self.pid}" if self.inherited else ""
        by = f" by {self.by}" if self.by else ""
        if self.kind == "public":
            word = "will be public from" if self.ended else "public since"
            return f"{word} {(self.public_from or '')[:_DAY]}{by}{end}"
        if self.kind == "grant":
            word = "was granted" if self.ended else "granted"
            until = f" until {self.until[:16].replace('T', ' ')} UTC" if self.until else ""
            return f"{word}{by}{until}{end}"
        return f"{_OWN[self.kind]}{end}"


@dataclass(frozen=True)
class Answer:
    """Whether one user sees a dataset, and what decides it."""

    user: str
    sees: bool
    why: tuple[str, ...]


@dataclass(frozen=True)
class WhoCan:
    """The rules of a dataset, each with its readers; who fulfils every rule sees it.

    keepers : who sees everything; hidden : what it was made of that the asker may not see, so
    that the rules are not told.
    """

    pid: str
    rules: tuple[tuple[Reason, ...], ...]
    keepers: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    user: Answer | None = None


def who_can(rights: Rights, pid: str, name: str | None = None) -> WhoCan:
    """Explain to somebody who sees a dataset, and whether the user of a name does.

    Errors: NotFound; NotAllowed for who asks about others and may not share the dataset.
    """
    rights.view().get(pid)
    installation = rights.installation
    documents = dict(_documents(installation, pid))
    hidden = tuple(each for each in documents if not rights.sees(each))
    rules = tuple(_reasons(rule, documents, installation) for rule in rules_in(documents[pid]))
    answer = None
    if name is not None:
        _check_curious(rights, pid, name)
        answer = _answer(rights.of(name), pid, documents, rules)
    keepers = tuple(sorted(installation.policy.keepers))
    return WhoCan(pid, () if hidden else rules, keepers, hidden, answer)


def _documents(installation: "Installation", pid: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the documents of a dataset and of all it goes back to, as far as they are known."""
    waiting, seen = [pid], {pid}
    while waiting:
        here = waiting.pop(0)
        try:
            document = installation.catalog.row(here).document
        except NotFound:
            continue
        yield here, document
        fresh = [each for each in document.get("derived_from", ()) if each not in seen]
        seen.update(fresh)
        waiting += fresh


def _reasons(rule: Rule, documents: Documents, installation: "Installation") -> tuple[Reason, ...]:
    """Return the readers of a rule, with where each of them comes from."""
    found = []
    for reader in sorted({*rule.readers, *rule.until}):
        end = None if reader in rule.readers else rule.until[reader]
        sources = list(_sources(reader, documents))
        fitting = [each for each in sources if each.until == end] or sources
        found.append(fitting[0])
    start = _public_from(rule, installation)
    if start is not None:
        found.append(_publication(start, rule, documents))
    return tuple(found)


def _sources(reader: str, documents: Documents) -> Iterator[Reason]:
    """Yield why somebody is a reader, beginning with the dataset itself."""
    itself = next(iter(documents))
    for pid, document in documents.items():
        inherited = pid != itself
        if not document.get("derived_from"):
            own = {
                f"user:{document.get('owner')}": "owner",
                f"proposal:{document.get('proposal')}": "proposal",
                f"staff:{document.get('canonical', {}).get('beamline')}": "staff",
            }
            if reader in own:
                yield Reason(reader, own[reader], pid, inherited)
        grant = grants_in(document).get(reader)
        if grant is not None:
            ended = grant.until is not None and grant.until <= now()
            yield Reason(reader, "grant", pid, inherited, grant.by, grant.until, ended=ended)


def _publication(start: str, rule: Rule, documents: Documents) -> Reason:
    """Return the reason for which something is public: a date somebody set, else the embargo."""
    itself = next(iter(documents))
    for pid, document in documents.items():
        grant = grants_in(document).get(PUBLIC)
        set_by = grant.by if grant and grant.public_from == rule.public_from else None
        if set_by or (rule.since is not None and document.get("created") == rule.since):
            return Reason(
                PUBLIC, "public", pid, pid != itself, set_by, public_from=start, ended=start > now()
            )
    return Reason(PUBLIC, "public", itself, public_from=start, ended=start > now())


def _public_from(rule: Rule, installation: "Installation") -> str | None:
    """Return the moment from which what a rule guards is public, or None for never."""
    dates = [rule.public_from, installation.policy.embargo_ends(rule.since)]
    return min((each for each in dates if each and each != NEVER), default=None)


def _check_curious(rights: Rights, pid: str, name: str) -> None:
    if name != rights.user.name and not rights.may_share(pid):
        raise NotAllowed(
            f"what {name} may see is told to who may share {pid}",
            remedy="Ask its owner, or the staff of the beamline",
        )


def _answer(
    rights: Rights, pid: str, documents: Documents, rules: Sequence[Sequence[Reason]]
) -> Answer:
    """Say whether a user sees a dataset; the catalog decides, the rules explain."""
    name, sees = rights.user.name, rights.sees(pid)
    if rights.keeper:
        return Answer(name, sees, ("keeps this installation",))
    words = (*tokens_of(rights.user), PUBLIC)
    why: list[str] = []
    for reasons in rules:
        mine = [each for each in reasons if each.reader in words]
        holding = [each for each in mine if not each.ended]
        if sees:
            why += [f"{each.reader}: {each}" for each in holding[:1]]
        elif not holding:
            why += [f"{each.reader}: {each}" for each in mine]
            why.append(_missing(reasons, mine))
    if not sees and not why:
        why.append("a filter of the installation hides it")
    return Answer(name, sees, tuple(dict.fromkeys(why)))


def _missing(reasons: Sequence[Reason], mine: Sequence[Reason]) -> str:
    others = [each.reader for each in reasons if each not in mine and not each.ended]
    if not others:
        return "nobody but a keeper sees it: what it was made of is not in the catalog"
    return f"is none of {', '.join(others)}"
