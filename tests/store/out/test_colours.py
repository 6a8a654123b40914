import re

from terradrift.serve.app import STATIC
from terradrift.store.out.colours import CIVIDIS, OKABE_ITO


def test_the_page_has_the_same_colours() -> None:
    script = (STATIC / "js" / "scales.js").read_text()

    def told(name: str) -> tuple[str, ...]:
        found = re.search(rf"const {name} = \[(.*?)\]", script, re.DOTALL)
        assert found
        return tuple(re.findall(r"#[0-9a-f]{6}", found[1]))

    assert told("OKABE_ITO") == OKABE_ITO
    assert told("CIVIDIS")[::2] == CIVIDIS
