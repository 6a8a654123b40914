"""The page "Ten questions" shows what its examples give."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> ModuleType:
    """`benchmarks/ten_questions.py`."""
    spec = importlib.util.spec_from_file_location(
        "ten_questions", ROOT / "benchmarks" / "ten_questions.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_examples_are_found_with_the_answers_that_follow_them(page: ModuleType) -> None:
    text = "# x\n\n```sql\nSELECT 1\n```\n\n```text\nold\n```\n\n```\nnot run\n```\n"
    (block,) = page.blocks(text)
    assert (block.kind, block.code, block.answer) == ("sql", "SELECT 1\n", "old\n")
    assert text[slice(*block.span)] == "old\n"


def test_long_answers_are_cut_where_it_says_so(page: ModuleType) -> None:
    lines = page.LINES
    assert page.cut("a  \nb\n\n") == "a\nb\n"
    long = page.cut("".join(f"{n}\n" for n in range(lines + 3)))
    assert long.splitlines()[-2:] == [str(lines - 1), "... 3 more lines"]


def test_every_question_has_an_example(page: ModuleType) -> None:
    parts = page.PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    assert [part.split(".")[0] for part in parts] == [str(n) for n in range(1, 11)]
    for part in parts:
        assert list(page.blocks(part)), part.splitlines()[0]


@pytest.mark.slow
def test_answers_on_the_page_are_those_given_now(
    page: ModuleType, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    root = shared(f"data/{page.SERIES}").parents[1]
    reader = page.Reader(page.make(root, tmp_path), tmp_path)
    for block in page.blocks(page.PAGE.read_text(encoding="utf-8")):
        assert reader.answer(block) == block.answer, block.code
