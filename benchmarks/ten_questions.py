"""Run every example of the page "Ten questions" on a real archive, and renew its answers.

    python benchmarks/ten_questions.py [SHARED] [--docs docs/ten-questions.md]

The archive is made from the real series `s2-flanders-2018-transplant` (two hamlets inserted).
Each block of `python`, `sh` or `sql` on the page runs in its order, and the block of `text`
that follows it becomes what it gave, long answers cut. Python has `td` and the opened
`archive`; `sh` runs in the archive's folder and
shows what it prints, or says where it prints nothing; `sql` is printed as `terradrift sql` does.
Without `--docs` the answers are compared with those on the page, and it fails where they
differ.
"""

import argparse
import ast
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import terradrift as td
from terradrift.cli.output import rows as told
from terradrift.query import write

PAGE = Path(__file__).resolve().parent.parent / "docs" / "ten-questions.md"
SERIES = "s2-flanders-2018-transplant"
ARCHIVE = "flanders.td"
PATCH = 20
"""Metres."""
LINES = 14
"""A longer answer is cut."""
_WIDTH = 160

_BLOCK = re.compile(
    r"^```(?P<kind>python|sh|sql)\n(?P<code>.*?)^```\n\n^```text\n(?P<answer>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One example of the page."""

    kind: str
    code: str
    answer: str
    """As shown."""
    span: tuple[int, int]
    """Where the answer stands in the page."""


def blocks(page: str) -> Iterator[Block]:
    """The examples in their order."""
    for match in _BLOCK.finditer(page):
        yield Block(match["kind"], match["code"], match["answer"], match.span("answer"))


def make(shared: Path, folder: Path) -> td.Archive:
    """The archive of the page."""
    made = td.create(folder / ARCHIVE, grid=td.Grid(patch_size=PATCH))
    made.ingest(shared / "data" / SERIES / "catalog.json")
    made.embed("mosaiks", quiet=True)
    made.detect("mosaiks", quiet=True)
    made.cluster("mosaiks", quiet=True)
    return made


class Reader:
    """Runs blocks as someone does who reads the page from its top."""

    def __init__(self, archive: td.Archive, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self._names: dict[str, Any] = {"td": td, "archive": archive}

    def answer(self, block: Block) -> str:
        """What the block gives, cut where it is long."""
        given = {"python": self._python, "sh": self._sh, "sql": self._sql}[block.kind]
        return cut(given(block.code))

    def _python(self, code: str) -> str:
        tree = ast.parse(code)
        last = tree.body[-1]
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.chdir(self._folder):
            if isinstance(last, ast.Expr):
                head = ast.Module(tree.body[:-1], [])
                exec(compile(head, "page", "exec"), self._names)  # noqa: S102 - our page
                value = eval(  # noqa: S307 - our page
                    compile(ast.Expression(last.value), "page", "eval"), self._names
                )
                if value is not None:
                    print(value)
            else:
                exec(compile(tree, "page", "exec"), self._names)  # noqa: S102 - our page
        return out.getvalue()

    def _sh(self, code: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["/bin/sh", "-ec", code],
            cwd=self._folder,
            env={**os.environ, "PATH": path, "COLUMNS": str(_WIDTH), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise SystemExit(f"{code}\n{ran.stderr}")
        return ran.stdout or ran.stderr

    def _sql(self, code: str) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            told(write.to_arrow(self._archive.sql(code)), as_json=False)
        return out.getvalue()


def cut(text: str) -> str:
    """Lines without spaces at their ends, the first `LINES` of them."""
    lines = [line.rstrip() for line in text.rstrip().splitlines()]
    if len(lines) > LINES:
        lines = [*lines[:LINES], f"... {len(lines) - LINES} more lines"]
    return "".join(f"{line}\n" for line in lines)


def renewed(page: str, reader: Reader) -> str:
    """The page with the answers that its examples give now."""
    out, end = [], 0
    for block in blocks(page):
        out += [page[end : block.span[0]], reader.answer(block)]
        end = block.span[1]
    return "".join([*out, page[end:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--docs", type=Path, help="renew this page")
    asked = parser.parse_args()
    old = (asked.docs or PAGE).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        new = renewed(old, Reader(make(asked.shared, folder), folder))
    if asked.docs is not None:
        asked.docs.write_text(new, encoding="utf-8")
    elif new != old:
        raise SystemExit(
            f"answers differ from {PAGE.name}: renew it with --docs docs/{PAGE.name}"
        )


if __name__ == "__main__":
    main()
