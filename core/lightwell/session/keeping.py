"""What only whoever keeps an installation may do: to look at, and mend, what is everybody's."""

from pathlib import Path
from typing import TYPE_CHECKING

from lightwell.errors import ParameterError

if TYPE_CHECKING:
    from lightwell.catalog.copying import Copied
    from lightwell.catalog.records import Index
    from lightwell.installation import Installation
    from lightwell.session.fsck import Checked
    from lightwell.session.reindex import Reindexed
    from lightwell.session.rights import Rights
    from lightwell.users import User

__all__ = ["KeeperVerbs"]


class KeeperVerbs:
    """The verbs of a session that look at the datasets of everybody."""

    installation: "Installation"
    user: "User"
    rights: "Rights"

    def reindex(
        self, *, dry_run: bool = False, prune: bool = False, journal: Path | None = None
    ) -> "Reindexed":
        """Make the catalog anew from the descriptions on the disk and from its own journal.

        Errors: ParameterError for others than the keeper of the installation; Conflict.
        """
        from lightwell.session.reindex import reindex

        self._require_keeper("reindex")
        return reindex(
            self.installation, by=self.user, dry_run=dry_run, prune=prune, journal=journal
        )

    def add_index(self, field: str) -> "Index":
        """Make questions to the catalog about a field quick.

        Errors: ParameterError for others than the keeper of the installation.
        """
        self._require_keeper("catalog index add")
        return self.installation.catalog.add_index(field)

    def copy_catalog(self, target: str, *, dry_run: bool = False) -> "Copied":
        """Copy the catalog, journal and all, to another address; interrupted, it goes on.

        Errors: ParameterError for others than the keeper; UnknownName for a kind of catalog there
        is none of; Conflict if the target is not empty.
        """
        from lightwell.catalog.copying import copy_catalog

        self._require_keeper("catalog copy")
        opened = self.installation.open_catalog(target)
        try:
            return copy_catalog(self.installation.catalog, opened, dry_run=dry_run)
        finally:
            opened.close()

    def fsck(self, *, content: bool = False, mend: bool = False) -> "Checked":
        """Compare files, catalog and journal; mend : remove what dead processes left unfinished.

        Errors: ParameterError for others than the keeper of the installation.
        """
        from lightwell.session.fsck import check

        self._require_keeper("fsck")
        return check(self.installation, content=content, mend=mend)

    def export_journal(self, path: Path) -> int:
        """Write the journal as JSON lines, for `reindex` to begin with; gives the number of events.

        Errors: ParameterError for others than the keeper, who would not see all; Conflict.
        """
        from lightwell.catalog import export_events
        from lightwell.exports.placing import complete_output

        self._require_keeper("journal --export")
        with complete_output(path) as part:
            return export_events(self.installation.catalog.journal(), part)

    def _require_keeper(self, verb: str) -> None:
        if not self.rights.keeper:
            raise ParameterError(
                f"{verb} looks at the datasets of everybody; {self.user} may not",
                remedy="Whoever keeps the installation can run it",
            )
