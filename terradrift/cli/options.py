"""Options that several verbs share, each spelled once."""

from pathlib import Path
from typing import Annotated

import typer

ArchivePath = Annotated[
    Path, typer.Argument(metavar="ARCHIVE", help="Folder of the archive.")
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="STAC API URL, static STAC catalogue (path or URL), or folder of GeoTIFFs.",
    ),
]
PatchSize = Annotated[
    int | None,
    typer.Option(
        metavar="METRES",
        help="Side of a patch [default for a new archive: the model's chip or token, or 160].",
    ),
]
Gsd = Annotated[
    float | None,
    typer.Option(
        metavar="METRES", help="Pixel size to read at [default: the scenes']."
    ),
]
Crs = Annotated[
    str | None,
    typer.Option(
        help="Grid CRS: utm (each place in its zone) or an EPSG code in metres."
    ),
]
Bbox = Annotated[
    str | None,
    typer.Option(
        metavar="W,S,E,N", help="Box in degrees; W > E crosses the antimeridian."
    ),
]
RegionFile = Annotated[
    Path | None,
    typer.Option(help="Vector file (GeoJSON, GeoPackage, ...) of the area."),
]
Datetime = Annotated[
    str | None,
    typer.Option("--datetime", metavar="A/B", help="Period, such as 2017-08/2018-11."),
]
Collection = Annotated[
    list[str] | None, typer.Option(help="STAC collection; may be given several times.")
]
MaxCloud = Annotated[
    float | None,
    typer.Option(metavar="PERCENT", help="Leave out scenes with more cloud than this."),
]
Mask = Annotated[
    str, typer.Option(help="auto (SCL or QA_PIXEL), none, or the name of a mask asset.")
]
BoaOffset = Annotated[
    float | None,
    typer.Option(
        metavar="DN",
        help="Sentinel-2: added to digital numbers of all scenes, 0 or -1000, whatever the metadata say.",
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(help="Reflectance per digital number, whatever the metadata say."),
]
MaxFalseAlarms = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Report so that at most N unchanged patches per 1,000 km2 and year are expected to be told as changed, with one change or more [default: the 1 % least likely of unchanged patches, more where much changed].",
    ),
]
MinSegment = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Clear dates that a state before or after a change needs [default: 3]; 1 for annual series of few dates.",
    ),
]
Bands = Annotated[
    str | None,
    typer.Option(metavar="A,B,...", help="Bands by common name [default: all common]."),
]
Pattern = Annotated[
    str | None,
    typer.Option(help="File-name pattern, such as S2_{datetime:%Y%m%d}_{band}.tif."),
]
Level = Annotated[
    str | None,
    typer.Option(
        help="Keep only this processing level, such as L2A; scenes that state none are given it."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(help="Embedding model [default: mosaiks, or the archive's]."),
]
Tokens = Annotated[
    bool,
    typer.Option(
        "--tokens",
        help="A vector per token of a foundation model, as NAME-tokens; else one per chip.",
    ),
]
ChipSize = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="PX", help="Pixels per chip side [default: the model's]."
    ),
]
TokenSize = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="PX", help="Pixels per token side [default: the model's]."
    ),
]
Overlap = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="PX",
        help="Pixels that neighbouring chips of tokens share [default: the model's].",
    ),
]
Dates = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Dates per vector of a model of series: its own and those before it.",
    ),
]
AllowMismatch = Annotated[
    bool,
    typer.Option(
        "--allow-mismatch",
        help="Take scenes of another level or pixel size than the model's; recorded.",
    ),
]
Precision = Annotated[
    str, typer.Option(help="auto (bf16 where it is safe and faster), fp32 or bf16.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads [default: all that are allowed].")
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Embed on a Ray cluster: auto, local or ray://HOST:PORT.",
    ),
]
RayWorkers = Annotated[
    int | None,
    typer.Option(min=1, help="Workers [default: as many as there is room for]."),
]
RayGpus = Annotated[
    float,
    typer.Option(min=0, metavar="FRACTION", help="Part of a GPU per worker; 0: none."),
]
SkipBad = Annotated[
    bool,
    typer.Option("--skip-bad", help="Go on without unreadable scenes; they are named."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be read; write nothing.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Run this method instead; its rows go into anomalies_NAME. Any unknown name lists all.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="DATE", help="With --method: first date to judge, such as 2018-05-16."
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="With --method: last date to judge; train --until leaves its day out.",
    ),
]
Maps = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="With --method: write anomaly maps (Cloud-Optimised GeoTIFF) there.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="With --method: one of its settings; may be given several times.",
    ),
]
Within = Annotated[
    str | None, typer.Option(help="GeoJSON text or vector file: only inside.")
]
Between = Annotated[
    str | None, typer.Option(metavar="A/B", help="Only onsets in this period.")
]
Kind = Annotated[
    list[int] | None,
    typer.Option(metavar="N", help="Only this kind; may be given several times."),
]
Persistence = Annotated[
    str | None, typer.Option(help="Only persistent, transient, ... ones.")
]
MinScore = Annotated[float | None, typer.Option(help="Only from this score.")]
Where = Annotated[
    str | None,
    typer.Option(metavar="SQL", help="Condition on the columns of the rows."),
]
Space = Annotated[
    str | None,
    typer.Option(
        help="What vectors are compared in: raw, centre, whiten, or one such as whiten/2 [default: states in the archive's centre, steps raw; or as terradrift space says]."
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        help="delta (the same step), reverse (the opposite), before-after, after-before (what undoes it), after or before [default: delta; of observations after]."
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")]

LabelDate = Annotated[
    str | None, typer.Option("--date", help="Date, or period A/B, of all labels.")
]
DateField = Annotated[
    str | None, typer.Option("--date-field", metavar="NAME", help="Column of dates.")
]
ClassField = Annotated[
    str | None, typer.Option("--class-field", metavar="NAME", help="Column of classes.")
]
