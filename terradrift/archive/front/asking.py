"""Verbs that ask, and what analysts say of the answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from terradrift import threads as threading_
from terradrift.archive.front.finding import Finding
from terradrift.archive.front.matches import Matches
from terradrift.archive.runs import recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    import pyarrow as pa
    from lonboard import Map
    from matplotlib.figure import Figure
    from shapely.geometry.base import BaseGeometry

    from terradrift.archive.front.handed import Handed
    from terradrift.detect.kinds.fates import Fate
    from terradrift.query.relation import Relation
    from terradrift.query.search.similar import similar as _similar
    from terradrift.query.search.uncertain import uncertain as _uncertain
    from terradrift.query.sql.limits import Limits


class Asking(Finding):
    """What asks an archive."""

    def events(
        self,
        limit: int | None = None,
        *,
        since: str | None = None,
        until: str | None = None,
        bbox: str | tuple[float, float, float, float] | None = None,
        within: str | Path | Mapping[str, Any] | BaseGeometry | None = None,
        kind: int | Iterable[int] | None = None,
        persistence: str | Iterable[str] | None = None,
    ) -> pa.Table:
        """The ranked events, best first; `limit` None: all of them.

        Those alone that start from `since` to `until` (2018, 2018-05 or 2018-05-16, both
        included), touch `bbox` (degrees) and `within` (a region), and are of the kind and
        persistence.

        Raises:
            QueryError: a condition that cannot be read.
        """
        from terradrift.query import events

        text, values = events.statement(
            limit,
            since=since,
            until=until,
            bbox=bbox,
            within=within,
            kind=kind,
            persistence=persistence,
        )
        return self.sql(text, **values).to_arrow_table()

    def sql(
        self, text: str, limits: Limits | None = None, /, **values: object
    ) -> Relation:
        """One SELECT over the views, run when its rows are asked for.

        Values are bound by name (`$since`). `limits` bounds time, rows and memory; without
        them only memory is bounded, by half of the machine's. They may be given by name
        too; any other value of that name is bound to `$limits`.

        Raises:
            QueryError: not one SELECT, an unknown name, or anything that writes or
                reaches outside.
        """
        from terradrift.query.sql import ask
        from terradrift.query.sql.limits import Limits

        named = values.get("limits")
        if isinstance(named, Limits):
            limits = named
            del values["limits"]
        return ask.sql(self.store, text, limits, **values)

    if TYPE_CHECKING:
        similar = Handed(_similar)
        uncertain = Handed(_uncertain)
    else:
        similar = Matches("terradrift.query.search.similar:similar")
        uncertain = Matches("terradrift.query.search.uncertain:uncertain")

    def explore(
        self,
        what: Literal["changes", "events", "patches"] = "changes",
        *,
        by: str | None = None,
        limit: int | None = None,
        basemap: bool = False,
    ) -> Map:
        """Changes, events or patches on a map that one can move, the strongest first.

        `by` is the column of its colours, `limit` how many are drawn (see
        `query.shown.explore.draw`); `basemap` fetches streets to draw beneath.

        Raises:
            QueryError: another table, or lonboard is not installed.
        """
        from terradrift.archive import exploring

        return exploring.explore(self.store, what, by=by, limit=limit, basemap=basemap)

    def plot(self, what: str = "map", name: str | None = None) -> Figure:
        """A matplotlib figure.

        `what` is `series` (`name`: a patch), `change` (a change, or an event for its
        strongest), or of the whole archive `map`, `timeline`, `kinds`, `taxonomy` (where
        regimes are) or `dendrogram` (what regimes are alike).

        Raises:
            QueryError: no such figure, or no such patch, change or event.
            ArchiveError: there are no kinds or no taxonomy yet.
        """
        from terradrift.archive import plotting

        return plotting.plot(self.store, self.model, what, name)

    def series(self, patch: str) -> pa.Table:
        """Observations of a patch in order of time, with their scores.

        The rows of `series(patch)` in SQL.

        Raises:
            QueryError: no such patch.
        """
        return self.sql("FROM series($patch)", patch=patch).to_arrow()

    def drift_between(
        self,
        patch: str,
        first: str | date | datetime,
        second: str | date | datetime,
        *,
        model: str | None = None,
    ) -> float | None:
        """Cosine distance (0..2) of a patch between two instants; None where not known.

        Between the clear observations that are nearest to them, in the space that the
        archive compares vectors in: see `terradrift.query.between`.

        Raises:
            QueryError: no such patch, no embeddings, or an instant that cannot be read.
        """
        from terradrift.query import between

        return between.drift_between(
            self.store, patch, first, second, model=model or self.model
        )

    def label(
        self,
        target_ids: str | Sequence[str],
        verdict: Literal["yes", "no"],
        name: str,
        who: str | None = None,
    ) -> int:
        """Say of changes and events whether they are `name`; returns how many.

        An event counts as its changes. A later verdict of the same person on the same
        target and name replaces an earlier one.

        Raises:
            ArchiveError: another verdict, no name, or no such change or event; nothing is
                written then.
        """
        from terradrift.archive import labelling

        told = {"name": name, "verdict": verdict, "who": who}
        with recorded(self.store, "label", told) as run:
            return labelling.label(
                self.store, run, target_ids, verdict, name=name, who=who
            )

    def unlabel(
        self, target_ids: str | Sequence[str], name: str, who: str | None = None
    ) -> int:
        """Withdraw what `who` said of these targets under this name; returns how many.

        Raises:
            ArchiveError: one of them has no such verdict; nothing is written then.
        """
        from terradrift.archive import labelling

        told = {"name": name, "verdict": "withdrawn", "who": who}
        with recorded(self.store, "label", told) as run:
            return labelling.unlabel(self.store, run, target_ids, name=name, who=who)

    def labels(self, name: str | None = None) -> pa.Table:
        """Verdicts that stand, each with what it is of now: see `labelling.held`.

        Raises:
            QueryError: nothing is labelled with that name.
        """
        from terradrift.archive import labelling

        return labelling.held(self.store, name)

    def kinds(self, model: str | None = None, *, tree: bool = False) -> pa.Table:
        """Kinds of change, rare and strong ones first; with `tree` branches and parts too.

        Raises:
            ArchiveError: there are none of the model yet.
        """
        from terradrift.archive.kinds import rows as kind_rows

        return kind_rows.held(self.store, model or self.model, tree=tree)

    def rename_kind(
        self, kind: int, name: str, *, model: str | None = None, who: str | None = None
    ) -> None:
        """Call a kind `name` from now on, after later fits too; empty: no longer.

        Raises:
            ArchiveError: no such kind, or a name that is too long.
        """
        from terradrift.archive.kinds import names as kind_names

        chosen = model or self.model
        told = {"model": chosen, "kind": kind, "name": name}
        with recorded(self.store, "rename", told) as run:
            kind_names.rename(self.store, run, chosen, kind, name, who=who)

    def compare_kinds(
        self, first: int, second: int | None = None, *, model: str | None = None
    ) -> list[Fate]:
        """What became of the kinds of one fit in another (None: the newest).

        Fits are numbered from 1. Both are asked about the changes that are held now.

        Raises:
            ArchiveError: no such fit, or no changes.
        """
        from terradrift.archive.kinds import comparing

        return comparing.compare(
            self.store,
            model or self.model,
            first,
            second,
            threads=threading_.resolve(None),
        )

    def draw_kinds(self, path: str | Path, *, model: str | None = None) -> Path:
        """Draw the tree of kinds as a PNG.

        Raises:
            ArchiveError: there are no kinds of the model yet.
            ValueError: the file does not end in .png.
        """
        from terradrift.archive.kinds import picture as kind_picture

        return kind_picture.draw(self.store, model or self.model, Path(path))

    def report(self, path: str | Path, *, events: int = 12) -> Path:
        """Write one HTML page, or a folder of PNGs where `path` does not end in .html."""
        from terradrift.archive import reporting

        return reporting.report(self.store, self.model, Path(path), events=events)

    def index(
        self,
        *,
        table: str | None = None,
        mode: str | None = None,
        model: str | None = None,
        every: bool = False,
        threads: int | None = None,
        quiet: bool = False,
    ) -> list[str]:
        """Make what searches and SQL are fast by, where it is missing or stale.

        Says what was done with each table; see `terradrift.archive.indexing.index`, whose
        `target` is `table`. Files lie under `index/` and may be deleted at any time.
        """
        from terradrift.archive import indexing

        return indexing.index(
            self.store,
            model or self.model,
            target=table,
            mode=mode,
            every=every,
            threads=threading_.resolve(threads),
            quiet=quiet,
        )

    def info(self) -> dict[str, Any]:
        """What the archive holds, in a few facts."""
        from terradrift.archive import about

        return about.about(self.store, self.model)
