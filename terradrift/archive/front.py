"""`Archive`: one object and a few verbs, the same as on the command line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from terradrift import threads as threading_
from terradrift.archive.request import filters
from terradrift.archive.runs import recorded
from terradrift.ingest.scene import Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import pyarrow as pa
    from shapely.geometry.base import BaseGeometry

    from terradrift.archive.choosing import Choice
    from terradrift.archive.clustering import Clustered
    from terradrift.archive.detecting import Detected
    from terradrift.archive.embedding import EmbedResult
    from terradrift.archive.ingesting import Ingested
    from terradrift.archive.method import Judged
    from terradrift.archive.purpose import Purpose
    from terradrift.archive.spacing import Chosen
    from terradrift.archive.taxonomy import Classified
    from terradrift.archive.training import Trained
    from terradrift.archive.watched import Watched
    from terradrift.detect.kinds.fates import Fate
    from terradrift.evaluate.bench_result import Bench
    from terradrift.evaluate.compare_result import Compared
    from terradrift.evaluate.injected.result import Sensitivity
    from terradrift.evaluate.operational_result import Calibration
    from terradrift.evaluate.result import Evaluation
    from terradrift.ingest.plan import Plan
    from terradrift.period import Period
    from terradrift.query.result import Result
    from terradrift.store.majortom.arrive import Imported as MajorTomImported
    from terradrift.store.tables import Store

DEFAULT_MODEL = "mosaiks"


class Archive:
    """A searchable record of change: tables in one folder, and the verbs on them.

    A verb that writes takes the lock, may be killed and run again, and leaves a row in `runs`.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{self.store.count(table):,} {table}"
            for table in ("scenes", "patches")
            if self.store.exists(table)
        )
        return f"Archive({str(self.store.root)!r}: {counts or 'empty'})"

    @property
    def model(self) -> str:
        """The model that SQL's views and the later verbs speak of."""
        return self.store.settings.model or DEFAULT_MODEL

    def ingest(
        self,
        source: str | Path,
        *,
        bbox: str | tuple[float, ...] | None = None,
        region: str | Path | BaseGeometry | None = None,
        datetime: str | Period | None = None,
        collection: str | Sequence[str] = (),
        max_cloud: float | None = None,
        options: Options | None = None,
        skip_bad: bool = False,
        purpose: Purpose | None = None,
    ) -> Ingested:
        """Add a source's scenes and their patches: metadata only, no pixels.

        `purpose` is the model that they are for: those that do not fit it are refused.

        Raises:
            ValueError: a filter that cannot be read.
            SourceError: no scenes, or one that cannot be used (unless `skip_bad`).
            HarmonisationError: it cannot be told how numbers become reflectance.
            ArchiveError: the archive holds another sensor, level or region, or the scenes
                do not fit the `purpose`.
        """
        from terradrift.archive import ingesting

        wanted = filters(bbox, region, datetime, collection, max_cloud)
        parameters = {
            "source": str(source),
            "bbox": wanted.bbox,
            "datetime": wanted.period and wanted.period.stac(),
            "collections": wanted.collections,
            "max_cloud": max_cloud,
        }
        with recorded(self.store, "ingest", parameters) as run:
            done = ingesting.ingest(
                self.store,
                run,
                str(source),
                wanted,
                options or Options(),
                skip_bad=skip_bad,
                purpose=purpose,
            )
            run.message = str(done)
            return done

    def preview(
        self,
        source: str | Path,
        *,
        model: str | None = None,
        how: Mapping[str, Any] | None = None,
        options: Options | None = None,
        skip_bad: bool = False,
        sizes: bool = False,
        **wanted: Any,  # noqa: ANN401 - the filters of `ingest`
    ) -> tuple[Ingested, Plan]:
        """What `run` would find and read; writes nothing. Raises as `ingest`.

        `how` are fields of `terradrift.embed.how.How`; `sizes` says whether the model sets
        the patch size of a new archive.
        """
        from terradrift.archive import previewing

        return previewing.preview(
            self.store,
            str(source),
            filters(**wanted),
            options or Options(),
            self.choice(model, **(how or {})),
            skip_bad=skip_bad,
            sizes=sizes,
        )

    def choice(
        self,
        model: str | None = None,
        **how: Any,  # noqa: ANN401 - the fields of How, checked there
    ) -> Choice:
        """The model that is meant, used as asked, or as the archive holds it already.

        Raises:
            ModelMismatchError: the archive's vectors were made in another way.
        """
        from terradrift.archive import choosing

        return choosing.choose(self.store, model or self.model, how)

    def plan(
        self,
        model: str | None = None,
        **how: Any,  # noqa: ANN401 - the fields of How
    ) -> Plan:
        """What `embed` would read, counted, before the first byte."""
        from terradrift.archive import embedding

        return embedding.plan(self.store, self.choice(model, **how))

    def embed(
        self,
        model: str | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "auto",
        skip_bad: bool = False,
        quiet: bool = False,
        ray: str | None = None,
        ray_workers: int | None = None,
        ray_gpus: float = 0.0,
        current: bool = True,
        **how: Any,  # noqa: ANN401 - the fields of How
    ) -> EmbedResult:
        """Embed every observation that is not in the archive yet; resumable.

        `how` are fields of `terradrift.embed.how.How`, such as `tokens=True`; those left
        out are the model's, or those the archive's vectors were made with.

        `ray` is the address of a Ray cluster (`auto`, `local`, `ray://...`) that embeds
        with `ray_workers` workers, each with `threads` threads and `ray_gpus` of a GPU.

        SQL's views and later verbs speak of this model from now on, unless `current` is
        False.

        Raises:
            UnknownPluginError: no such model.
            WeightsError: its weights are not on this machine.
            ModelMismatchError: the archive's vectors were made in another way.
            ValueError: a choice that does not fit the model or the archive.
            SourceError: a file cannot be read (unless `skip_bad`), or nothing is clear.
        """
        from terradrift.archive import choosing, embedding
        from terradrift.archive.cluster import Cluster

        choice = self.choice(model, **how)
        here = device if ray is None else None
        held = self.store.settings
        choosing.check(choice, held.grid, here, precision, held.bands)
        options = embedding.EmbedOptions(
            model=choice.model,
            how=choice.how,
            precision=precision,
            device=device,
            threads=threading_.resolve(threads),
            skip_bad=skip_bad,
            quiet=quiet,
            cluster=Cluster(ray, ray_workers, ray_gpus, threads) if ray else None,
            current=current,
        )
        with recorded(self.store, "embed", options.parameters()) as run:
            return embedding.embed(self.store, run, options)

    def space(
        self, name: str | None = None, *, model: str | None = None, quiet: bool = False
    ) -> Chosen:
        """Choose the space that the model's vectors are compared in; None: say which is.

        `raw`: as they are; `centre` or `whiten`: fitted anew on the archive's clear
        observations, stored and numbered; `centre/1`: one fitted before. Drift and search
        use it; scores and changes stay until `detect` runs again.

        Raises:
            ArchiveError: nothing is embedded under the model, or no such space was fitted.
            ValueError: no such space, or the vectors are too few or all the same.
        """
        from terradrift.archive import spacing

        chosen = model or self.model
        if name is None:
            return spacing.about(self.store, chosen)
        with recorded(self.store, "space", {"model": chosen, "space": name}) as run:
            return spacing.choose(self.store, run, chosen, name, quiet=quiet)

    @overload
    def detect(
        self,
        model: str | None = None,
        *,
        method: None = None,
        threads: int | None = None,
        quiet: bool = False,
        **settings: Any,  # noqa: ANN401 - fields of detect.Settings, checked there
    ) -> Detected: ...

    @overload
    def detect(
        self,
        model: str | None = None,
        *,
        method: str,
        since: str | None = None,
        until: str | None = None,
        maps: str | Path | None = None,
        device: str = "auto",
        threads: int | None = None,
        quiet: bool = False,
        **settings: Any,  # noqa: ANN401 - fields of the method's settings
    ) -> Judged: ...

    def detect(
        self,
        model: str | None = None,
        *,
        method: str | None = None,
        since: str | None = None,
        until: str | None = None,
        maps: str | Path | None = None,
        device: str = "auto",
        threads: int | None = None,
        quiet: bool = False,
        **settings: Any,
    ) -> Detected | Judged:
        """Score every observation and find changes and events, or run another method.

        Without `method`, `settings` are fields of `terradrift.detect.settings.Settings`.
        With one (`terradrift.archive.methods.lines` says which there are) its rows go into
        a table of their own, `settings` are its own, `since` and `until` (dates such as
        2018-05-16, or a month, or a year) say what is judged, and anomaly maps are written
        into the folder `maps` by methods that make them.

        Raises:
            ArchiveError: the archive does not hold what is needed, or a setting is not known.
            UnknownPluginError: no such method.
            ValueError: a setting of another type or out of range, or no date; or a date,
                `maps` or `device` without a method.
        """
        from terradrift.archive import detecting, methods

        chosen, count = model or self.model, threading_.resolve(threads)
        given: dict[str, Any] = {
            "since": since,
            "until": until,
            "maps": maps,
            "device": device,
        }
        if method is None:
            methods.refuse_alone(given)
            with recorded(self.store, "detect", {"model": chosen, **settings}) as run:
                return detecting.detect(
                    self.store, run, chosen, settings, threads=count, quiet=quiet
                )
        request = methods.request(
            method, chosen, settings, **given, threads=count, quiet=quiet
        )
        told = {"method": method, "model": chosen, **given, **settings}
        with recorded(self.store, f"detect-{method}", told) as run:
            return methods.detect(self.store, run, request)

    def train(
        self,
        method: str,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        encoder: str | None = None,
        seed: int = 0,
        until: str | None = None,
        resume: bool = True,
        device: str = "auto",
        threads: int | None = None,
        quiet: bool = False,
    ) -> Trained:
        """Teach a method that must learn, such as `inpaint`, the archive's clear history.

        `until` is a date, such as 2018-05-16: only days before it are read. `steps` are of
        the whole training; a run that was stopped goes on unless `resume` is False.

        Raises:
            ArchiveError: too few clear days.
            WeightsError: the weights of the `encoder` are not on this machine.
            ValueError: nothing to train by that name, or a value out of range.
        """
        from terradrift.archive import training

        told = {"method": method, "minutes": minutes, "steps": steps, "until": until}
        with recorded(
            self.store, "train", {**told, "encoder": encoder, "seed": seed}
        ) as run:
            wish = training.Wish(
                minutes=minutes,
                steps=steps,
                encoder=encoder or "",
                seed=seed,
                until=training.day(until),
                resume=resume,
                device=device,
                threads=threading_.resolve(threads),
                quiet=quiet,
            )
            return training.train(self.store, run, method, wish)

    def bench(
        self,
        labels: str | Path | None = None,
        *,
        models: Sequence[str] | None = None,
        detectors: Sequence[str] | None = None,
        control: str | Path | None = None,
        date: str | None = None,
        date_field: str | None = None,
        class_field: str | None = None,
        min_share: float = 0.5,
        any_touch: bool = False,
        threads: int | None = None,
        quiet: bool = False,
    ) -> Bench:
        """Compare detectors x models on the archive's patches.

        Embeds first what is missing; the archive's current model stays what it was.
        `labels` are as for `evaluate`; without them the archive is taken as one where
        nothing changed, and what is reported is counted.

        Args:
            labels: vector file, raster or table of what changed.
            models: None: those that the archive has vectors of.
            detectors: from `terradrift.evaluate.methods.names`; None: the usual ones.
            control: another archive, of the same bands and patch size, where nothing
                changed.
            date: of all labels.
            date_field: column of dates.
            class_field: column of classes.
            min_share: share of a patch that labels must fill.
            any_touch: any ground that changed makes a changed patch.
            threads: of detection and embedding; None: all that are allowed.
            quiet: no progress.

        Raises:
            UnknownPluginError: no such detector or model.
            SourceError: labels that cannot be read, or that meet no patch.
            ArchiveError: nothing is ingested, or the control has other bands or patches.
        """
        from terradrift.archive import benching
        from terradrift.archive.opening import open_archive
        from terradrift.evaluate.fields import Reading

        given = None
        if labels is not None:
            given = benching.Truthful(
                labels=Path(labels),
                reading=Reading(
                    date=date, date_field=date_field, class_field=class_field
                ),
                min_share=min_share,
                any_touch=any_touch,
            )
        return benching.bench(
            self,
            models=models,
            detectors=detectors,
            given=given,
            control=None if control is None else open_archive(control),
            threads=threading_.resolve(threads),
            quiet=quiet,
        )

    def compare(
        self,
        labels: str | Path,
        *,
        others: Sequence[str | Path] = (),
        date: str | None = None,
        date_field: str | None = None,
        class_field: str | None = None,
        threads: int | None = None,
        **options: Any,  # noqa: ANN401 - passed on, by name
    ) -> Compared:
        """Compare the models of this archive and of `others` on one common grid.

        `labels` and how they are read are as for `evaluate`; `options` and what is raised
        are those of `terradrift.archive.comparing.compare`.
        """
        from terradrift.archive import comparing
        from terradrift.archive.opening import open_archive
        from terradrift.evaluate.fields import Reading

        return comparing.compare(
            [self, *map(open_archive, others)],
            Path(labels),
            Reading(date=date, date_field=date_field, class_field=class_field),
            threads=threading_.resolve(threads),
            **options,
        )

    def cluster(
        self,
        model: str | None = None,
        *,
        assign: bool = False,
        threads: int | None = None,
        quiet: bool = False,
        **settings: Any,  # noqa: ANN401 - the fields of detect.kinds.Cluster
    ) -> Clustered:
        """Group changes into kinds, and write them beside changes and events.

        A kind that lives on keeps its number and its name. With `assign` nothing is fitted:
        changes take the kinds of the last fit by the exemplars nearest to them. `settings`
        are fields of `terradrift.detect.kinds.Cluster`, such as `selection="leaf"`.

        Raises:
            ArchiveError: there are no changes yet, or no kinds to assign.
            ValueError: a setting that is not known or out of range.
        """
        from terradrift.archive import clustering

        chosen = model or self.model
        told = {"model": chosen, "assign": assign, **settings}
        with recorded(self.store, "cluster", told) as run:
            return clustering.cluster(
                self.store,
                run,
                chosen,
                settings=settings,
                assign=assign,
                threads=threading_.resolve(threads),
                quiet=quiet,
            )

    def kinds(self, model: str | None = None, *, tree: bool = False) -> pa.Table:
        """Kinds of change, rare and strong ones first; with `tree` branches and parts too.

        Raises:
            ArchiveError: there are none of the model yet.
        """
        from terradrift.archive import kind_rows

        return kind_rows.held(self.store, model or self.model, tree=tree)

    def rename_kind(
        self, kind: int, name: str, *, model: str | None = None, who: str | None = None
    ) -> None:
        """Call a kind `name` from now on, after later fits too; empty: no longer.

        Raises:
            ArchiveError: no such kind, or a name that is too long.
        """
        from terradrift.archive import kind_names

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
        from terradrift.archive import clustering

        return clustering.compare(
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
        from terradrift.archive import kind_picture

        return kind_picture.draw(self.store, model or self.model, Path(path))

    def taxonomy(
        self,
        model: str | None = None,
        *,
        regimes: int | None = None,
        paths: int | None = None,
        method: str = "kmeans",
        period: str | None = None,
        steps: int | None = None,
        season: bool = False,
        assign: bool = False,
        refine: bool = False,
        stability: bool = False,
        output: str | Path | None = None,
        seed: int = 0,
        threads: int | None = None,
        quiet: bool = False,
    ) -> Classified:
        """Group patches by what their ground is, and by its path through time.

        Args:
            model: None: the archive's.
            regimes: of ground; None: as many as have most support.
            paths: of each regime; None: likewise.
            method: `kmeans`, `dtw` or `hdbscan`.
            period: dates that take part, as STAC writes them; None: all.
            steps: of the calendar; None: by the data.
            season: take all years together, by day of the year.
            assign: place new patches and dates among the regimes that were found before.
            refine: learn a space from the regimes, keep it as `triplet/1`, `triplet/2` and so
                on, and find the regimes anew in it.
            stability: find them again by other seeds, patches and dates; say how far these
                agree.
            output: folder for pictures and `taxonomy.json`.
            seed: of the sample and the clustering.
            threads: None: all that are allowed.
            quiet: no progress.

        Raises:
            ValueError: a setting out of range, or a period that cannot be read.
            ArchiveError: nothing is embedded, or too few patches are seen often enough.
        """
        from terradrift.archive import taxonomy as classifying
        from terradrift.archive import taxonomy_pictures
        from terradrift.detect.taxonomy.settings import Settings

        chosen, many = model or self.model, threading_.resolve(threads)
        if assign:
            with recorded(
                self.store, "taxonomy", {"model": chosen, "assign": True}
            ) as run:
                done = classifying.place(
                    self.store, run, chosen, threads=many, quiet=quiet
                )
        else:
            settings = Settings(regimes=regimes, paths=paths, method=method, seed=seed)
            asked = classifying.Asked(
                period=period,
                steps=steps,
                season=season,
                refine=refine,
                stability=stability,
            )
            parameters = {"model": chosen, **asdict(settings), **asdict(asked)}
            with recorded(self.store, "taxonomy", parameters) as run:
                done = classifying.taxonomy(
                    self.store, run, chosen, settings, asked, threads=many, quiet=quiet
                )
        if output is not None:
            taxonomy_pictures.draw(self.store, chosen, Path(output), threads=many)
        return done

    def watch(
        self,
        source: str | Path | None = None,
        *,
        start: str | None = None,
        model: str | None = None,
        output: str | Path | None = None,
        how: Mapping[str, Any] | None = None,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "auto",
        skip_bad: bool = False,
        quiet: bool = False,
        filters: Mapping[str, Any] | None = None,
        **rules: Any,  # noqa: ANN401 - the fields of monitor Rules, checked there
    ) -> Watched:
        """Judge every new day by what was known before it, and raise alerts.

        The first call learns from all days before `start` (a date such as 2018-03-01; by
        default from everything that is held) and later ones only read days that are new.
        A `source` is ingested with `filters`, those of `ingest`, and embedded first.
        `rules` are fields of `terradrift.detect.monitor.rules.Rules`, such as
        `max_false_alarms`. All alerts are written to `output` as GeoJSON.

        Raises: as `ingest` and `embed`, and
            ArchiveError: too little is held to learn from, or `rules` differ from those
                that watching began with and no `start` is given.
            ValueError: no date, or a rule that is not known or out of range.
        """
        from terradrift.archive import watching

        choice = self.choice(model, **(how or {}))
        name = choice.stored
        told = {"model": name, "start": start, **rules}
        first, asked = watching.asked(start, rules)
        with recorded(self.store, "watch", told) as run:
            anew = watching.begin(
                self.store, run, name, start=first, rules=asked, given=rules
            )
        if source is not None:
            from terradrift.archive.purpose import Purpose

            self.ingest(
                source, skip_bad=skip_bad, purpose=Purpose(choice), **(filters or {})
            )
            self.embed(
                model,
                device=device,
                threads=threads,
                precision=precision,
                skip_bad=skip_bad,
                quiet=quiet,
                **(how or {}),
            )
        with recorded(self.store, "watch", told) as run:
            done = watching.advance(self.store, run, name, anew=anew, quiet=quiet)
        if output is not None:
            watching.write(self.store, name, Path(output))
        return done

    def alerts(self, model: str | None = None) -> pa.Table:
        """All alerts that `watch` raised, in order of detection.

        Raises:
            ArchiveError: nothing is watched under the model.
        """
        from terradrift.archive import watching

        return watching.held(self.store, model or self.model)

    def events(self, limit: int | None = None) -> pa.Table:
        """The ranked events, best first; None: all of them."""
        found = self.sql("SELECT * FROM events ORDER BY rank LIMIT $n", n=limit)
        return found.to_arrow_table()

    def run(
        self,
        source: str | Path,
        *,
        model: str | None = None,
        how: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "auto",
        skip_bad: bool = False,
        quiet: bool = False,
        **filters: Any,  # noqa: ANN401 - those of `ingest`
    ) -> Detected:
        """The main job: ingest, embed, detect and cluster; resumable, incremental.

        `how` are fields of `terradrift.embed.how.How`, such as `{"tokens": True}`, and
        `settings` those of `detect`, such as `{"max_false_alarms": 100}`.

        Raises: as the four verbs.
        """
        from terradrift.archive import choosing
        from terradrift.archive.purpose import Purpose

        choice = self.choice(model, **(how or {}))
        held = self.store.settings
        choosing.check(choice, held.grid, device, precision, held.bands)
        self.ingest(source, skip_bad=skip_bad, purpose=Purpose(choice), **filters)
        self.embed(
            model,
            device=device,
            threads=threads,
            precision=precision,
            skip_bad=skip_bad,
            quiet=quiet,
            **(how or {}),
        )
        done = self.detect(
            choice.stored,
            method=None,
            threads=threads,
            quiet=quiet,
            **(settings or {}),
        )
        self.cluster(choice.stored, threads=threads, quiet=quiet)
        return done

    def sql(self, text: str, **values: object) -> duckdb.DuckDBPyRelation:
        """One SELECT over the views; values are bound by name (`$since`).

        Raises:
            QueryError: not one SELECT, an unknown name, or anything that writes or
                reaches outside.
        """
        from terradrift.query import sql

        return sql.sql(self.store, text, **values)

    def similar(self, **query: Any) -> Result:  # noqa: ANN401 - see query.similar
        """Changes like this one: see `terradrift.query.similar.similar`."""
        from terradrift.query import similar

        return similar.similar(self.store, **query)

    def report(self, path: str | Path, *, events: int = 12) -> Path:
        """Write one HTML page, or a folder of PNGs where `path` does not end in .html."""
        from terradrift.archive import reporting

        return reporting.report(self.store, self.model, Path(path), events=events)

    def evaluate(
        self,
        labels: str | Path,
        *,
        model: str | None = None,
        **how: Any,  # noqa: ANN401 - see archive.evaluating
    ) -> Evaluation:
        """Measure what was found against labels: a vector file, a table or a raster.

        `how` are the options of `terradrift.archive.evaluating.evaluate_archive`, such as
        `date="2018-10-29"`. Writes nothing; `str()` of the answer is a table, `to_dict()` a
        record.

        Raises:
            SourceError: labels that cannot be read, or none that lies in the archive.
            ArchiveError: nothing is detected under the model, or no patch is judged.
            ValueError: an option out of range.
        """
        from terradrift.archive import evaluating

        return evaluating.evaluate_archive(
            self.store, model or self.model, Path(labels), **how
        )

    def sensitivity(
        self,
        model: str | None = None,
        *,
        detectors: Sequence[str] | None = None,
        tiles: int = 1,
        device: str = "auto",
        threads: int | None = None,
        quiet: bool = False,
        **plan: Any,  # noqa: ANN401 - the fields of injected.study.Plan
    ) -> Sensitivity:
        """Plant changes of known size into the archive's images: who finds them from when on.

        `plan` are fields of `terradrift.evaluate.injected.study.Plan`, such as `frames=8`.
        Writes nothing; `str()` of the answer is a table, `to_dict()` a record.

        Raises:
            UnknownPluginError: no such detector.
            ArchiveError: nothing is embedded under the model, or no date can be judged.
            ValueError: an option out of range, or too few observations.
        """
        from terradrift.archive import sensitivity
        from terradrift.evaluate.injected.study import Plan

        return sensitivity.sensitivity(
            self.store,
            self.choice(model),
            Plan(**plan),
            detectors=detectors,
            most_tiles=tiles,
            device=device,
            threads=threading_.resolve(threads),
            quiet=quiet,
        )

    def calibration(
        self, model: str | None = None, *, controls: str | Path | None = None
    ) -> Calibration:
        """How often p-values of each size occur, beside how often they should.

        `controls` is a vector file of ground where nothing changed; None: the whole
        archive. Writes nothing; `str()` of the answer is a table, `to_dict()` a record.

        Raises:
            ArchiveError: nothing is detected under the model.
            SourceError: controls that cannot be read, or hold no patch.
        """
        from terradrift.archive import calibrating

        return calibrating.calibration(
            self.store, model or self.model, controls=controls
        )

    def export(
        self,
        path: str | Path,
        *,
        what: str = "changes",
        model: str | None = None,
        method: str | None = None,
    ) -> int:
        """Write changes, events, embeddings or anomalies as a file; returns the number of rows.

        `.parquet` is GeoParquet 1.1; other endings (.gpkg, .geojson, .csv, .jsonl) carry
        no vectors, and no anomalies. `method` is whose anomalies, by default `seasonal`.

        Raises:
            ValueError: no such table, an ending that is not known, or a method with what
                is of none.
            ArchiveError: the method was not run.
        """
        from terradrift.archive import moving

        return moving.export(self.store, model or self.model, Path(path), what, method)

    def import_table(self, path: str | Path, *, what: str = "embeddings") -> int:
        """Read GeoParquet that `export` wrote; returns the number of rows.

        Raises:
            SchemaError: not such a file.
            ModelMismatchError: vectors of another model than the archive's.
        """
        from terradrift.archive import moving

        with recorded(self.store, "import", {"path": str(path), "what": what}) as run:
            run.rows = moving.import_table(self.store, Path(path), what)
        return run.rows

    def import_major_tom(
        self,
        path: str | Path,
        *,
        model: str | None = None,
        footprints: str | None = None,
        clear_percent: float | None = None,
    ) -> MajorTomImported:
        """Read a published table of Major TOM embeddings.

        Options and what is raised are those of
        `terradrift.store.majortom.arrive.import_published`.
        """
        from terradrift.store.majortom import arrive

        with recorded(self.store, "import", {"path": str(path)}) as run:
            done = arrive.import_published(
                self.store,
                Path(path),
                model=model,
                footprints=footprints,
                clear_percent=clear_percent,
                run_id=run.run_id,
            )
            run.rows, run.message = done.rows, str(done)
        return done

    def info(self) -> dict[str, Any]:
        """What the archive holds, in a few facts."""
        from terradrift.archive import about

        return about.about(self.store, self.model)

    def validate(self) -> list[str]:
        """Problems as sentences; empty where all is well."""
        from terradrift.store.validate import validate

        return list(validate(self.store))

    def optimize(self, *, keep_hours: float = 1.0) -> list[str]:
        """Compact, sort and clean all tables; says what was done to each."""
        from datetime import timedelta

        from terradrift.store.optimize import optimize

        with recorded(self.store, "optimize", {"keep_hours": keep_hours}):
            done = optimize(self.store, keep=timedelta(hours=keep_hours))
        return [str(table) for table in done]
