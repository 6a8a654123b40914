"""An evaluation as files: a record, a page and a picture."""

import json
from pathlib import Path

from terradrift.evaluate import figure, page
from terradrift.evaluate.result import Evaluation


def write(found: Evaluation, folder: Path | str) -> list[Path]:
    """Write evaluation.json, evaluation.md and evaluation.png; gives their paths.

    Each appears whole or not at all.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    record = json.dumps(found.to_dict(), indent=2) + "\n"
    parts = {
        "evaluation.json": record.encode(),
        "evaluation.md": page.markdown(found, "evaluation.png").encode(),
        "evaluation.png": figure.png(found),
    }
    for name, content in parts.items():
        partial = out / f".{name}.partial"
        partial.write_bytes(content)
        partial.replace(out / name)
    return [out / name for name in parts]
