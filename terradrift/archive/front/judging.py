"""Verbs that judge what an archive says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from terradrift import threads as threading_
from terradrift.archive.front.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terradrift.evaluate.bench.result import Bench
    from terradrift.evaluate.compare.result import Compared
    from terradrift.evaluate.injected.result import Sensitivity
    from terradrift.evaluate.operational.result import Calibration
    from terradrift.evaluate.result import Evaluation


class Judging(Asking):
    """What holds an archive against labels, peers and chance."""

    def evaluate(
        self,
        labels: str | Path,
        *,
        model: str | None = None,
        **how: Any,  # noqa: ANN401 - see archive.evaluating
    ) -> Evaluation:
        """Measure what was found against labels: a vector file, a table or a raster.

        `how` are the options of `terradrift.archive.judge.evaluating.evaluate_archive`, such as
        `date="2018-10-29"`. Writes nothing; `str()` of the answer is a table, `to_dict()` a
        record.

        Raises:
            SourceError: labels that cannot be read, or none that lies in the archive.
            ArchiveError: nothing is detected under the model, or no patch is judged.
            ValueError: an option out of range.
        """
        from terradrift.archive.judge import evaluating

        return evaluating.evaluate_archive(
            self.store, model or self.model, Path(labels), **how
        )

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
        from terradrift.archive.judge import benching
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
        are those of `terradrift.archive.judge.comparing.compare`.
        """
        from terradrift.archive.judge import comparing
        from terradrift.archive.opening import open_archive
        from terradrift.evaluate.fields import Reading

        return comparing.compare(
            [self, *map(open_archive, others)],
            Path(labels),
            Reading(date=date, date_field=date_field, class_field=class_field),
            threads=threading_.resolve(threads),
            **options,
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
        from terradrift.archive.judge import sensitivity
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
        from terradrift.archive.judge import calibrating

        return calibrating.calibration(
            self.store, model or self.model, controls=controls
        )
