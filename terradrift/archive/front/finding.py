"""Verbs that find: changes, anomalies, kinds, regimes, alerts."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from terradrift import threads as threading_
from terradrift.archive.front.making import Making
from terradrift.archive.runs import recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from terradrift.archive.detecting import Detected
    from terradrift.archive.inpaint.training import Trained
    from terradrift.archive.kinds.clustering import Clustered
    from terradrift.archive.methods.method import Judged
    from terradrift.archive.taxonomy.run import Classified
    from terradrift.archive.watch.watched import Watched


class Finding(Making):
    """What finds changes, and what they and their ground are alike."""

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
        With one (`terradrift.archive.methods.dispatch.lines` says which there are) its rows go into
        a table of their own, `settings` are its own, `since` and `until` (dates such as
        2018-05-16, or a month, or a year) say what is judged, and anomaly maps are written
        into the folder `maps` by methods that make them.

        Raises:
            ArchiveError: the archive does not hold what is needed, or a setting is not known.
            UnknownPluginError: no such method.
            ValueError: a setting of another type or out of range, or no date; or a date,
                `maps` or `device` without a method.
        """
        from terradrift.archive import detecting
        from terradrift.archive.methods import dispatch as methods

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
        if threads is None:
            few = min(count, threading_.NETWORK_THREADS)
            request = replace(request, network_threads=few)
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

        `until` is a date, such as 2018-05-16: only days before it are read (`detect` judges its
        own `until`, too). `steps` are of
        the whole training; a run that was stopped goes on unless `resume` is False.

        Raises:
            ArchiveError: too few clear days.
            WeightsError: the weights of the `encoder` are not on this machine.
            ValueError: nothing to train by that name, or a value out of range.
        """
        from terradrift.archive.inpaint import training

        count = threading_.resolve(threads)
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
                threads=count if threads else min(count, threading_.NETWORK_THREADS),
                quiet=quiet,
            )
            return training.train(self.store, run, method, wish)

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
        from terradrift.archive.kinds import clustering

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

    def taxonomy(
        self,
        model: str | None = None,
        *,
        regimes: int | None = None,
        paths: int | None = None,
        method: str | None = None,
        period: str | None = None,
        steps: int | None = None,
        season: bool = False,
        min_clear: float | None = None,
        assign: bool = False,
        refine: bool = False,
        stability: bool = False,
        output: str | Path | None = None,
        seed: int | None = None,
        threads: int | None = None,
        quiet: bool = False,
    ) -> Classified:
        """Group patches by what their ground is, and by its path through time.

        Args:
            model: None: the archive's.
            regimes: of ground; None: as many as have most support.
            paths: of each regime; None: likewise.
            method: `kmeans`, `dtw` or `hdbscan`; None: `kmeans`.
            period: dates that take part, as STAC writes them; None: all.
            steps: of the calendar; None: by the data.
            season: take all years together, by day of the year.
            min_clear: percent that an observation must be clear to take part; None: 70.
            assign: place new patches and dates among the regimes that were found before,
                which keep their names; how these were found cannot be set again.
            refine: learn a space from the regimes, keep it as `triplet/1`, `triplet/2` and so
                on, and find the regimes anew in it.
            stability: find them again by other seeds, patches and dates; say how far these
                agree.
            output: folder for pictures and `taxonomy.json`.
            seed: of the sample and the clustering; None: 0.
            threads: None: all that are allowed.
            quiet: no progress.

        Raises:
            ValueError: a setting out of range or not for `assign`, or a period that cannot
                be read.
            ArchiveError: nothing is embedded, or too few patches are seen often enough.
        """
        from terradrift.archive.taxonomy import pictures as taxonomy_pictures
        from terradrift.archive.taxonomy import run as classifying
        from terradrift.detect.taxonomy.settings import Settings

        chosen, many = model or self.model, threading_.resolve(threads)
        rules = {"regimes": regimes, "paths": paths, "method": method, "seed": seed}
        wishes = {
            "period": period,
            "steps": steps,
            "min_clear": min_clear,
            "season": season or None,
            "refine": refine or None,
            "stability": stability or None,
        }
        if assign:
            classifying.refuse_anew({**rules, **wishes})
            with recorded(
                self.store, "taxonomy", {"model": chosen, "assign": True}
            ) as run:
                done = classifying.place(
                    self.store, run, chosen, threads=many, quiet=quiet
                )
        else:
            settings = Settings(**_given(rules))
            asked = classifying.Asked(**_given(wishes))
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
        from terradrift.archive.watch import watching

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
        from terradrift.archive.watch import watching

        return watching.held(self.store, model or self.model)

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


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """Those that are not None: the others stay what they are by default."""
    return {name: value for name, value in settings.items() if value is not None}
