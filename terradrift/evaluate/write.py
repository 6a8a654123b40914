"""An evaluation as files: a record, a page and a picture."""

import json
from pathlib import Path

from terradrift.evaluate import figure, page, whole
from terradrift.evaluate.result import Evaluation


def write(found: Evaluation, folder: Path | str) -> list[Path]:
    """Write evaluation.json, evaluation.md and evaluation.png; gives their paths.

    Each appears whole or not at all.
    """
    out = Path(folder)
    record = json.dumps(found.to_dict(), indent=2) + "\n"
    parts = {
        "evaluation.json": record.encode(),
        "evaluation.md": page.markdown(found, "evaluation.png").encode(),
        "evaluation.png": figure.png(found),
    }
    return whole.write({out / name: content for name, content in parts.items()})
