import pytest

from terradrift.progress import stage


def test_without_a_terminal_one_line_says_what_was_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with stage("embed", 3, "units") as advance:
        advance(1)
        advance(2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("embed: 3/3 units in ")
    assert err.count("\n") == 1


def test_what_was_not_done_is_not_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        with stage("embed", 3, "units") as advance:
            advance(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert "3/3" not in capsys.readouterr().err


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with stage("embed", 3, "units", quiet=True) as advance:
        advance(3)
    assert capsys.readouterr().err == ""
