"""What a checkpoint of torch or safetensors holds; pickles are read in a process apart."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from terradrift.embed import convert
from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_HEAD = 512
_GUIDE = "docs/weights.md"


def tensors(file: Path, work: Path) -> dict[str, Tensor | dict[str, Tensor]]:
    """All tensors by key, those of a wrapper in a mapping under its name.

    The folder `work` takes what the child process writes; the tensors may be mapped from
    there or from `file` and live as long as they are used.

    Raises:
        WeightsError: no checkpoint, a damaged one, or one that is not safe to read.
    """
    kind = sniffed(file)
    if kind == "safetensors":
        return _read(file)
    converted = work / "converted.safetensors"
    _converted(file, converted)
    return _read(converted)


def sniffed(file: Path) -> str:
    """`safetensors` or `torch`, told by the content and not by the name.

    Raises:
        WeightsError: neither; says what it seems to be.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise WeightsError(
            f"expected a checkpoint file, got {file}, which is "
            f"{'a folder' if file.is_dir() else 'not there'}; give the path of one file"
        ) from error
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        _check_archive(file)
        return "torch"
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "torch"
    raise WeightsError(f"{file} is no checkpoint but {_guess(head)}")


def _guess(head: bytes) -> str:
    text = head.lstrip().lower()
    if not head:
        return "an empty file; download it again"
    if text.startswith(b"version https://git-lfs"):
        return (
            "a Git LFS pointer, which only names the file; "
            "run `git lfs pull`, or download the file itself"
        )
    if text.startswith((b"<", b"{")):
        return (
            "a web page or an error message of the server; open the address in a "
            "browser, and download the file itself"
        )
    if head.startswith(b"\x1f\x8b"):
        return "a gzip archive; unpack it and give the file inside"
    return "something else; expected a file of safetensors or of torch.save"


def _check_archive(file: Path) -> None:
    """Whether a zip file is whole and what torch.save writes, without reading a pickle."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise WeightsError(
            f"{file} is truncated or damaged ({file.stat().st_size:,} bytes are here); "
            "download it again"
        ) from error
    if any(name.endswith("constants.pkl") for name in names):
        raise WeightsError(
            f"{file} is a program compiled by TorchScript, which is not run here; "
            "give the checkpoint with the plain weights"
        )
    if not any(name.endswith("data.pkl") for name in names):
        raise WeightsError(
            f"{file} is a zip file without a checkpoint of torch; "
            "unpack it and give the file inside"
        )


def _converted(file: Path, output: Path) -> None:
    # -P: the working folder cannot slip in a module of its own. The file is run, not the
    # package: a child without it starts faster, and works from an uninstalled checkout.
    words = [sys.executable, "-P", convert.__file__, str(file), str(output)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode == 0:
        return
    lines = done.stdout.strip().splitlines()
    if done.returncode != 3 or not lines:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise WeightsError(
            f"{file} could not be converted: {last}; is it damaged, or is memory or "
            f"space in {output.parent} short?"
        )
    answer = json.loads(lines[-1])
    raise WeightsError(f"{file} {_refusal(answer['refused'], answer['detail'])}")


def _refusal(kind: str, detail: str) -> str:
    """What follows the file's name in the message, by the kinds of `convert.Refused`."""
    match kind:
        case "unsafe":
            return (
                f"is a pickle of more than tensors ({detail}), and opening it may run any "
                "code that is in it; convert it yourself where that does no harm, by "
                "`python -m terradrift.embed.convert --unsafe FILE OUT.safetensors`, and "
                f"add OUT.safetensors (see {_GUIDE})"
            )
        case "old":
            return (
                f"cannot be read safely by torch {detail}; install torch 2.6 or newer, or "
                "give a safetensors file"
            )
        case "empty":
            return (
                "holds no tensors under names; expected a state dict, bare or in a dict"
            )
        case _:
            return f"is truncated or damaged ({_short(detail)}); download it again"


def _short(words: str) -> str:
    first = words.strip().partition("\n")[0]
    return first if len(first) < 120 else f"{first[:117]}..."


def _read(file: Path) -> dict[str, Tensor | dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    found: dict[str, Tensor | dict[str, Tensor]] = {}
    try:
        with safe_open(file, framework="pt") as opened:
            nested = (opened.metadata() or {}).get("kind") == convert.KIND
            for key in opened.keys():  # noqa: SIM118 - not a dict
                wrapper, separator, name = key.partition(convert.SEPARATOR)
                if nested and separator:
                    inner = found.setdefault(wrapper, {})
                    if isinstance(inner, dict):
                        inner[name] = opened.get_tensor(key)
                else:
                    found[key] = opened.get_tensor(key)
    except SafetensorError as error:
        raise WeightsError(
            f"{file} is a truncated or damaged safetensors file ({error}); "
            "download it again"
        ) from error
    return found
