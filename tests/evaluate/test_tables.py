"""Tables as text."""

from terradrift.evaluate.tables import aligned, piped, wrapped


def test_a_table_that_fits_stays_as_it_is():
    assert aligned(("name", "of it"), [("a", "1"), ("longer", "22")]) == [
        "  name    of it",
        "  a       1",
        "  longer  22",
    ]


def test_heads_are_wrapped_before_a_table_is_parted():
    head = ("name", *["four long words here"] * 5)
    lines = aligned(head, [("x", *["0.123456"] * 5)])
    assert lines[0].split() == ["name", *["four"] * 5]
    assert lines[1].split() == ["long"] * 5
    assert lines[-1].split() == ["x", *["0.123456"] * 5]
    assert max(map(len, lines)) <= 100


def test_a_wide_table_goes_on_below_with_its_keys():
    head = ("a", "b", *(f"c{n}" for n in range(12)))
    rows = [("x", "y", *(str(n) * 15 for n in range(10)), "p" * 15, "q" * 15)]
    lines = aligned(head, rows, keys=2)
    assert max(map(len, lines)) <= 100
    heads = [line.split() for line in lines if line.startswith("  a")]
    assert [each[:2] for each in heads] == [["a", "b"]] * len(heads)
    assert [name for each in heads for name in each[2:]] == list(head[2:])
    cells = [line.split()[2:] for line in lines if line.startswith("  x")]
    assert tuple(cell for each in cells for cell in each) == rows[0][2:]


def test_no_rows_are_a_head_alone():
    assert aligned(("a", ""), []) == ["  a"]
    assert piped(("a", "b"), []) == "| a | b |\n| --- | --- |"


def test_bars_in_cells_are_escaped():
    assert piped(("a|b",), [("c",)]).splitlines()[0] == r"| a\|b |"


def test_notes_go_on_under_their_mark():
    first, second = wrapped("word " * 30, "* ")
    assert first.startswith("* word")
    assert second.startswith("  word")
    assert len(first) <= 100
