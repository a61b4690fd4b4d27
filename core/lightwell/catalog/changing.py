"""What changes a catalog: putting, correcting, retiring, replacing, granting."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from lightwell.access import Grant, grants_in
from lightwell.catalog.documents import storable
from lightwell.catalog.edits import differences, edited
from lightwell.catalog.query import Compare
from lightwell.catalog.records import Records, StoredRow, WritableRecords
from lightwell.catalog.rights import (
    GRANTED,
    REVOKED,
    after_grant,
    after_revoke,
    check_revocable,
    check_sources,
    grants_after,
    renewed,
    with_access,
    without_access,
)
from lightwell.catalog.store import CatalogStore
from lightwell.datasets import Dataset, now
from lightwell.errors import Conflict, ParameterError
from lightwell.storage import Replica
from lightwell.users import User

__all__ = ["ChangingCatalog"]


class ChangingCatalog(CatalogStore):
    """The verbs that change something, each in one transaction of the store."""

    def put(self, dataset: Dataset, *, by: User, replicas: Iterable[Replica] = ()) -> Dataset:
        """Remember a dataset; one that is the same already keeps its revision.

        Raises `Conflict` if it has a revision, but not the newest one, or if the same content
        is there and may not be seen; `NotAllowed` if it may not be changed.
        """
        with self.writing() as records:
            stored = self._known(records, dataset.pid)
            what = "ingested" if stored is None else "described anew"
            detail: dict[str, Any] = {}
            if dataset.rev:
                _check_newest(dataset, stored)
                before = without_access(stored.document) if stored else {}
                detail["changes"] = differences(before, storable(dataset.to_document()))
            elif stored is not None:
                dataset = _described_anew(dataset, self._dataset(stored.document))
            if not detail:
                dataset = self._with_edits(records, dataset)
            return self._write(records, dataset, stored, by, what, detail, replicas)

    def check_changeable(self, pid: str) -> None:
        """Raise what putting another description of a dataset would, if it is here already.

        Raises `Conflict` if it may not be seen, `NotAllowed` if it may not be changed.
        """
        with self.reading() as records:
            stored = self._known(records, pid)
            if stored is not None and not self._fulfils(records, pid, self._view.changing()):
                raise self._view.refused("change", pid)

    def update(self, dataset: Dataset, *, by: User, why: str) -> Dataset:
        """Replace what is remembered; raises `Conflict` unless it is of the newest revision."""
        with self.writing() as records:
            stored = self._row(records, dataset.pid)
            _check_newest(dataset, stored)
            # The journal owns what people change: it has to be able to say it again.
            before = without_access(stored.document)
            changes = differences(before, storable(dataset.to_document()))
            detail = {"why": why, "changes": changes}
            return self._write(records, dataset, stored, by, "updated", detail)

    def retire(self, pid: str, *, by: User, why: str) -> Dataset:
        """Leave a dataset out of searches; nothing is deleted, raises `NotFound`."""
        with self.writing() as records:
            stored = self._row(records, pid)
            dataset = replace(self._dataset(stored.document), retired=True)
            return self._write(records, dataset, stored, by, "retired", {"why": why})

    def supersede(self, pid: str, successor: str, *, by: User, why: str) -> Dataset:
        """Record that another dataset takes the place of this one; raises `NotFound`."""
        with self.writing() as records:
            stored = self._row(records, pid)
            self._row(records, successor)
            if successor == pid:
                raise ParameterError(f"{pid} cannot take its own place")
            dataset = replace(self._dataset(stored.document), superseded_by=successor)
            detail = {"why": why, "successor": successor}
            return self._write(records, dataset, stored, by, "superseded", detail)

    def grant(
        self,
        pid: str,
        to: str,
        *,
        by: User,
        until: str | None = None,
        public_from: str | None = None,
        why: str = "",
    ) -> Grant:
        """Let somebody see a dataset and what is made of it; raises `NotFound`, `NotAllowed`."""
        with self.writing() as records:
            stored = self._shareable(records, pid)
            grant = Grant(by.name, now(), until, public_from)
            grants = grants_in(stored.document)
            known = grants.get(to)
            if known is not None and (known.until, known.public_from) == (until, public_from):
                return known
            terms = {"to": to, "until": until, "public_from": public_from, "why": why}
            detail = {key: value for key, value in terms.items() if value}
            records.append(by, GRANTED, pid, detail, at=grant.at)
            self._regrant(records, stored, after_grant(grants, to, grant))
            return grant

    def revoke(self, pid: str, to: str, *, by: User, why: str = "") -> None:
        """Take a grant back, at once; raises `NotFound` if there is none, `NotAllowed`."""
        with self.writing() as records:
            stored = self._shareable(records, pid)
            grants = grants_in(stored.document)
            check_revocable(grants, to, pid)
            at = now()
            detail = {"to": to, "why": why} if why else {"to": to}
            records.append(by, REVOKED, pid, detail, at=at)
            self._regrant(records, stored, after_revoke(grants, to, by=by.name, at=at))

    def _known(self, records: Records, pid: str) -> StoredRow | None:
        """Return the row of a dataset, if there is one; raises `Conflict` for one not seen."""
        stored = records.read(pid)
        if stored is not None and not self._sees(stored):
            raise Conflict(
                f"{pid} is in the catalog, and you may not see it",
                remedy="Ask whoever looks after the catalog",
            )
        return stored

    def _write(
        self,
        records: WritableRecords,
        dataset: Dataset,
        stored: StoredRow | None,
        by: User,
        what: str,
        detail: Mapping[str, Any],
        replicas: Iterable[Replica] = (),
    ) -> Dataset:
        """Write what differs from the stored row, with change and event in one transaction."""
        document = dataset.to_document()
        row = stored
        if row is not None and dataset.definition and dataset.definition not in self._schemas:
            # The plugin that knows where its search fields are is not installed now.
            document["canonical"] = row.document.get("canonical", {})
        differs = row is None or not _same(document, row)
        if row is not None and not self._fulfils(records, dataset.pid, self._view.changing()):
            if differs:
                raise self._view.refused("change", dataset.pid)
            return self._dataset(row.document).with_manifest(records.manifest(row))
        if row is None or differs:
            row = self._store(records, document, what, stored)
            records.append(by, what, dataset.pid, {"rev": row.rev, **detail})
        if dataset.file_list is not None:
            records.write_manifest(row, dataset.file_list)
        records.write_replicas(row, replicas)
        return replace(dataset, rev=row.rev, file_list=records.manifest(row))

    def _store(
        self,
        records: WritableRecords,
        document: Mapping[str, Any],
        what: str,
        stored: StoredRow | None,
    ) -> StoredRow:
        """Write a document with its rules, and renew those of what was derived from it."""
        # One that was here before comes back to the grants the journal has left.
        grants = (
            grants_in(stored.document)
            if stored
            else grants_after(records.events(pid=document["pid"]))
        )
        read = self._reader(records)
        if stored is None or stored.document.get("derived_from") != document.get("derived_from"):
            check_sources(document, read)
        document = with_access(document, grants, read)
        if stored is not None and stored.document.get("access") != document["access"]:
            # Another owner, proposal or beamline shares it as a grant does.
            self._shareable(records, document["pid"])
        row = records.write(document, what, stored)
        if stored is None or _rights(stored.document) != _rights(row.document):
            self._renew_results(records, document["pid"])
        return row

    def _with_edits(self, records: WritableRecords, dataset: Dataset) -> Dataset:
        """Return a description from files with what people said of it since."""
        events = list(records.events(pid=dataset.pid))
        plain = dataset.to_document()
        document = edited(plain, events)
        if document == plain:
            return dataset
        return replace(self._dataset(document), rev=dataset.rev, file_list=dataset.file_list)

    def _shareable(self, records: WritableRecords, pid: str) -> StoredRow:
        """Return the row of a dataset that may be seen and shared."""
        row = self._row(records, pid)
        if not self._fulfils(records, pid, self._view.granting()):
            raise self._view.refused("share", pid)
        return row

    def _regrant(
        self, records: WritableRecords, stored: StoredRow, grants: Mapping[str, Grant]
    ) -> None:
        """Write the grants of a dataset, and what follows from them for all derived from it."""
        document = with_access(stored.document, grants, self._reader(records))
        records.rewrite(document, stored)
        self._renew_results(records, document["pid"])

    def _renew_results(self, records: WritableRecords, pid: str) -> None:
        def results(pid: str) -> list[str]:
            return records.pids(Compare("derived_from", "=", pid))

        def write(pid: str, access: dict[str, Any]) -> None:
            row = records.read(pid)
            if row is not None:
                records.rewrite({**row.document, "access": access}, row)

        renewed(pid, self._reader(records), results, write)

    def _reader(self, records: WritableRecords) -> Callable[[str], Mapping[str, Any] | None]:
        def read(pid: str) -> Mapping[str, Any] | None:
            row = records.read(pid)
            return row.document if row else None

        return read


def _same(document: Mapping[str, Any], row: StoredRow) -> bool:
    """Tell whether a document says what is stored, but for what is counted or derived."""
    return storable({**document, "rev": row.rev}) == without_access(row.document)


def _rights(document: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what the access of results follows from."""
    return document.get("access"), document.get("derived_from")


def _check_newest(dataset: Dataset, stored: StoredRow | None) -> None:
    """Raise `Conflict` unless a dataset builds on the stored revision."""
    newest = stored.rev if stored else 0
    if dataset.rev != newest:
        raise Conflict(
            f"{dataset.pid} was changed meanwhile: yours is revision {dataset.rev}, "
            f"the catalog has {newest}",
            remedy="Get it again and repeat the change",
        )


def _described_anew(dataset: Dataset, stored: Dataset) -> Dataset:
    """Return a new description with what does not come from the files kept as it was."""
    return replace(
        dataset,
        created=stored.created,
        owner=stored.owner,
        retired=stored.retired,
        superseded_by=stored.superseded_by,
        replicas=dataset.replicas or stored.replicas,
        rev=stored.rev,
    )
