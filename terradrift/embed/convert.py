"""Tensors of a torch checkpoint to a safetensors file, as a program of its own.

`add` runs it as a child process, so that whatever a pickle holds never comes near the data
of the user's process. It needs torch and safetensors alone, and nothing of this package:

    python -m terradrift.embed.convert [--unsafe] CHECKPOINT OUTPUT

Without `--unsafe` torch's restricted reader is used, which makes tensors and plain
containers and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

KIND = "checkpoint/1"
"""Kind in the metadata of what is written."""
SEPARATOR = "\x1f"
"""Between the name of a wrapper and that of a tensor in it; no module may be named so."""
SAFE_SINCE = (2, 6)
"""torch's restricted reader could be escaped before: CVE-2025-32434."""


class Refused(Exception):  # noqa: N818 - an answer for the caller, no failure of ours
    """The file cannot be read; the first argument is one of unsafe, damaged, old, empty."""


def convert(checkpoint: str, output: str, *, unsafe: bool = False) -> None:
    """Write all tensors on the first and second level; everything else is left out.

    Raises:
        Refused: it cannot be read, or not safely.
    """
    import torch
    from safetensors.torch import save_file

    if not unsafe and _version(torch.__version__) < SAFE_SINCE:
        raise Refused("old", torch.__version__)
    found = dict(_tensors(_loaded(checkpoint, unsafe=unsafe)))
    if not found:
        raise Refused("empty", "")
    save_file(_apart(found), output, metadata={"kind": KIND})


def _loaded(checkpoint: str, *, unsafe: bool) -> Any:  # noqa: ANN401 - what a file holds
    import pickle
    import zipfile

    import torch

    if unsafe:
        return torch.load(checkpoint, map_location="cpu", weights_only=False)
    try:
        return torch.load(
            checkpoint,
            map_location="cpu",
            weights_only=True,
            mmap=zipfile.is_zipfile(checkpoint),
        )
    except pickle.UnpicklingError as error:
        words = str(error)
        name = words.partition("GLOBAL ")[2].split(" ")[0]
        if name:
            raise Refused("unsafe", name) from error
        raise Refused("damaged", words) from error
    except MemoryError:
        raise
    except (
        Exception
    ) as error:  # what the reader meets in a damaged file may raise anything
        raise Refused("damaged", f"{type(error).__name__}: {error}") from error


def _tensors(loaded: object) -> Iterator[tuple[str, Tensor]]:
    """Key and tensor, of the mapping itself and of the mappings in it."""
    import torch

    if not isinstance(loaded, dict):
        return
    for key, value in loaded.items():
        if isinstance(value, dict):
            for inner, tensor in value.items():
                if isinstance(inner, str) and isinstance(tensor, torch.Tensor):
                    yield f"{key}{SEPARATOR}{inner}", tensor
        elif isinstance(key, str) and isinstance(value, torch.Tensor):
            yield key, value


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Dense tensors, each with memory of its own, as safetensors wants them."""
    import torch

    apart: dict[str, Tensor] = {}
    taken: set[int] = set()
    for key, tensor in tensors.items():
        if tensor.layout is not torch.strided:
            continue
        own = tensor.detach().contiguous()
        if own.untyped_storage().data_ptr() in taken:
            own = own.clone()
        taken.add(own.untyped_storage().data_ptr())
        apart[key] = own
    return apart


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.partition("+")[0].split(".")[:2])


def main() -> int:
    """Run the program; what is wrong goes to standard output as one JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m terradrift.embed.convert",
        description="Tensors of a torch checkpoint to a safetensors file.",
    )
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    parser.add_argument(
        "--unsafe",
        action="store_true",
        help="RUNS ANY CODE THAT IS IN THE FILE. Only where you trust its maker, "
        "better in a container without network.",
    )
    given = parser.parse_args()
    try:
        convert(given.checkpoint, given.output, unsafe=given.unsafe)
    except Refused as refused:
        kind, detail = refused.args
        print(json.dumps({"refused": kind, "detail": detail}))  # noqa: T201 - the answer
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
