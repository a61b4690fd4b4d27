"""Links that a definition asks for, and the `target` attributes that say where an object stands."""

from collections.abc import Iterator

from lightwell.nexus.validation.findings import Finding, Scope
from lightwell.nexus.validation.rules import LinkRule
from lightwell.nexus.validation.ruleset import RuleSet
from lightwell.nexus.validation.tree import Array, Group, printable

__all__ = ["check_link", "check_target"]


def check_link(
    group: Group, path: str, link: LinkRule, entry: Group, known: RuleSet, scope: Scope
) -> Iterator[Finding]:
    """Yield what is wrong with a link that a definition asks for."""
    child = group.children.get(link.name)
    if child is None:
        yield scope.finding(
            "link-missing",
            path,
            f"The link {link.name} is not there, and {scope.definition} requires it.",
            f"Link {link.name} to {link.target}.",
        )
        return
    if child.node is None:
        return
    place = f"{path.rstrip('/')}/{link.name}"
    meant = _meant(entry, link.target)
    if meant and not any(node is child.node for node in meant):
        if child.node.is_foreign:
            # Another file's object may be the same under another name.
            return
        message = f"This is another object than {link.target}, which {scope.definition} links to."
        mend = f"Link it to {meant[0].path} instead of writing the values twice."
        yield scope.finding("link-copied", place, message, mend, severity="note")
    elif "target" not in child.node.attributes and not child.node.is_foreign:
        message = "The linked object does not say in the attribute target where it stands."
        mend = f"Write target={child.node.path!r} on it."
        yield scope.finding("link-without-target", place, message, mend, severity="warning")


def _meant(entry: Group, target: str) -> list[Group | Array]:
    """Return the objects that a path of classes and names may mean: NXentry/det:NXdetector/data."""
    here: list[Group | Array] = [entry]
    for part in target.strip("/").split("/")[1:]:
        name, colon, nx_class = part.rpartition(":")
        inner: list[Group | Array] = []
        for node in here:
            if not isinstance(node, Group):
                continue
            for key, child in node.children.items():
                fits = key == name if colon else key == part
                if isinstance(child.node, Group) and child.node.nx_class == (nx_class or part):
                    fits = fits or not name
                if fits and child.node is not None:
                    inner.append(child.node)
        here = inner
    return here


def check_target(node: Group | Array, path: str, root: Group, scope: Scope) -> Iterator[Finding]:
    """Yield a finding if the `target` of an object in this file names nothing."""
    target = node.attributes.get("target")
    if node.is_foreign or not isinstance(target, str) or not target.startswith("/"):
        return
    if root.find(target) is None:
        yield scope.attribute("target").finding(
            "target-missing",
            path,
            f"The attribute target is {printable(target)!r}, and nothing stands there.",
            "Write the absolute path of the object itself, or leave the attribute out.",
            severity="warning",
            found=target,
        )
