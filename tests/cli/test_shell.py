"""`terradrift sql` without a statement."""

import stat
from pathlib import Path

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from terradrift.cli import answer, shell
from terradrift.errors import QueryError
from terradrift.grid import Grid
from terradrift.query.relation import Relation
from terradrift.query.sql import ask
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Settings, Store


class Asked:
    """An archive as the shell needs it: what has `sql`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def sql(
        self, text: str, limits: Limits | None = None, **values: object
    ) -> Relation:
        return ask.sql(self.store, text, limits, **values)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    settings = Settings(Grid(160), model="toy-v1.0")
    return Asked(Store.create(tmp_path_factory.mktemp("shell") / "a", settings))


def typed(archive: Asked, keys: str, **options: object) -> None:
    with create_pipe_input() as pipe:
        pipe.send_text(keys)
        session: PromptSession[str] = PromptSession(
            input=pipe, output=DummyOutput(), **shell.options(archive)
        )
        shell.Shell(archive, Limits(seconds=0.3), **options).run(session)


def test_a_statement_goes_over_lines_until_a_semicolon(
    archive: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(archive, "SELECT 40\n+ 2 AS answer\n;\n.quit\n")
    assert capsys.readouterr().out.split() == ["answer", "42"]


def test_statements_on_one_line_are_answered_in_turn(
    archive: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(archive, "SELECT 5 AS x; SELECT 'a;b' AS y;\n.quit\n")
    assert capsys.readouterr().out.split() == ["x", "5", "y", "a;b"]


def test_an_error_is_said_and_the_shell_goes_on(
    archive: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(archive, "FROM chnges;\n.limit x\n.nosuch\nSELECT 1 AS one;\n\x04")
    said = capsys.readouterr()
    assert "did you mean changes" in said.err
    assert "no command .nosuch" in said.err
    assert said.out.split() == ["one", "1"]


@pytest.mark.parametrize("command", [".limit abc", ".timeout x", ".limit 1.5"])
def test_a_limit_that_is_no_number_is_one_line(archive: Asked, command: str) -> None:
    name, _, given = command.partition(" ")
    with pytest.raises(QueryError) as caught:
        shell.Shell(archive, Limits()).answer(command)
    assert str(caught.value) == f"expected a number or off, as {name} 10, got '{given}'"


def test_nothing_that_a_statement_does_ends_the_shell(
    archive: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Asked):
        def sql(
            self, text: str, limits: Limits | None = None, **values: object
        ) -> Relation:
            if "broken" in text:
                raise KeyError("two\nlines")
            return super().sql(text, limits, **values)

    keys = "SELECT 'broken';\n.limit off\nSELECT 1 a, 2 a;\n.quit\n"
    typed(Broken(archive.store), keys)
    said = capsys.readouterr()
    assert "error: cannot answer: KeyError" in said.err
    assert said.out.split() == ["a", "a_1", "1", "2"]


def test_limits_are_changed_by_commands(
    archive: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = "SELECT count(*) FROM range(100000000000) a, range(9) b;"
    typed(archive, f"{slow}\n.limit 2\nFROM range(9);\n.timeout 0.1\n{slow}\n.quit\n")
    said = capsys.readouterr()
    assert "took longer than 0.3 s" in said.err
    assert "first 2 of more rows" in said.err
    assert "took longer than 0.1 s" in said.err
    assert said.out.split() == ["range", "0", "1"]


def test_answers_go_to_a_file_until_they_do_not(
    archive: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "one.csv"
    typed(
        archive, f".output {out}\nSELECT 1 AS one;\n.output off\nSELECT 2 AS two;\n\x04"
    )
    assert out.read_text().split() == ['"one"', "1"]
    assert capsys.readouterr().out.split() == ["two", "2"]


def test_views_and_help_are_listed(
    archive: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(archive, ".tables\n.schema changes\n.help\n.quit\n")
    said = capsys.readouterr().out
    assert "observations" in said.split()
    assert "Source: " in said
    assert ".timeout" in said


def test_columns_of_the_views_named_are_completed(archive: Asked) -> None:
    names = shell.Names(archive)

    def completed(text: str) -> list[str]:
        found = names.get_completions(Document(text), CompleteEvent())
        return [each.text for each in found]

    assert "change_id" in completed("SELECT onset FROM changes WHERE chan")
    assert "change_id" not in completed("SELECT onset FROM scenes WHERE chan")
    assert "changes" in completed("FROM chan")
    assert "SELECT" in completed("sel")
    assert "month_of(" in completed("SELECT month")
    assert completed("") == []


def test_history_is_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = shell.history_file()
    assert path == tmp_path / "state" / "terradrift" / "sql_history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_pipe_is_read_statement_by_statement() -> None:
    lines = ["SELECT 1,\n", "2;\n", ".tables\n", "\n", "FROM a"]
    assert list(shell.statements(lines)) == ["SELECT 1,\n2;", ".tables", "FROM a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2GB", 2 * 10**9), ("512MiB", 512 << 20), ("1.5 g", 15 * 10**8), ("100", 100)],
)
def test_memory_is_read_with_its_unit(text: str, expected: int) -> None:
    assert answer.bytes_of(text) == expected


def test_memory_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"such as 2GB .* got 'much'"):
        answer.bytes_of("much")


def test_values_are_numbers_where_they_read_so() -> None:
    given = ["a=1", "b=0.5", "c=2018-05-01", "d="]
    assert answer.values_of(given) == {"a": 1, "b": 0.5, "c": "2018-05-01", "d": ""}
    with pytest.raises(ValueError, match="expected NAME=VALUE, got 'kind'"):
        answer.values_of(["kind"])


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("csv", '"a","b"\n1,\n'),
        ("json", '[{"a": 1, "b": null}]\n'),
        ("jsonl", '{"a": 1, "b": null}\n'),
        ("markdown", "| a | b |\n| --- | --- |\n| 1 |  |\n"),
    ],
)
def test_answers_are_printed_in_the_form_asked_for(
    archive: Asked, capfd: pytest.CaptureFixture[str], form: str, printed: str
) -> None:
    relation = archive.sql("SELECT 1 AS a, NULL::INTEGER AS b")
    answer.give(relation, form=form, output=None)
    assert capfd.readouterr().out == printed
