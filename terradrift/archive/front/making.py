"""Verbs that fill an archive: scenes, embeddings, the space they are compared in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from terradrift import threads as threading_
from terradrift.archive.front.base import Base
from terradrift.archive.request import filters
from terradrift.archive.runs import recorded
from terradrift.ingest.scene import Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from terradrift.archive.choosing import Choice
    from terradrift.archive.embedding import EmbedResult
    from terradrift.archive.ingesting import Ingested
    from terradrift.archive.purpose import Purpose
    from terradrift.archive.spacing import Chosen
    from terradrift.ingest.plan import Plan
    from terradrift.period import Period


class Making(Base):
    """What fills an archive."""

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
