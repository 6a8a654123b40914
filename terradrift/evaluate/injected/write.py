"""Files of a study of sensitivity."""

import json
from pathlib import Path

from terradrift.evaluate.injected.figure import figure
from terradrift.evaluate.injected.result import Sensitivity
from terradrift.report import ink


def write(found: Sensitivity, folder: Path) -> list[Path]:
    """Write sensitivity.json and sensitivity.png into the folder, made where it is not."""
    folder.mkdir(parents=True, exist_ok=True)
    record, picture = folder / "sensitivity.json", folder / "sensitivity.png"
    record.write_text(json.dumps(found.to_dict(), indent=1) + "\n")
    picture.write_bytes(ink.png(figure(found)))
    return [record, picture]
