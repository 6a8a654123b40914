import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from terradrift.embed import library, transfer
from terradrift.embed.fetch import fetch
from terradrift.embed.spec import Source
from terradrift.errors import WeightsError
from tests.embed.site import serving
from tests.embed.tiny_model import tiny
from tests.embed.tiny_network import state

REVISION = "0123456789abcdef0123456789abcdef01234567"
HUB = f"https://huggingface.co/maker/model/resolve/{REVISION}/v1/tiny.safetensors"
ON_HUB = f"/maker/model/resolve/{REVISION}/v1/tiny.safetensors"


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    place = tmp_path / "models"
    monkeypatch.setenv("TERRADRIFT_MODELS", str(place))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return place


@pytest.fixture
def site():
    with serving() as found:
        yield found


@pytest.fixture
def content():
    # Long enough to be cut.
    numbers = state() | {"module.head.padding": torch.zeros(300_000)}
    return save(
        {key if "head" in key else f"module.{key}": v for key, v in numbers.items()}
    )


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def spec(site, content):
    """A model whose file lies on the site, digest and size known."""
    site.files["/tiny.safetensors"] = content
    url = f"{site.url}/tiny.safetensors"
    return tiny(source=Source(url=url, sha256=sha256(content), bytes=len(content)))


@pytest.fixture
def on_hub(site, content, monkeypatch):
    """A model whose file lies on a Hub, which moves who asks to another address."""
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    site.files["/cdn/tiny"] = content
    site.moved[ON_HUB] = f"{site.url}/cdn/tiny"
    site.etag = f'"{sha256(content)}"'
    site.headers = {"X-Repo-Commit": REVISION}
    return tiny(source=Source(url=HUB))


def left(models):
    """Files that lie in the folder of the weights."""
    return sorted(
        str(path.relative_to(models)) for path in models.rglob("*") if path.is_file()
    )


def added(spec):
    held = library.load(spec)
    torch.testing.assert_close(
        held.state["conv.weight"], state()["conv.weight"], rtol=0, atol=0
    )
    return held


def test_a_fetched_model_is_here_and_the_download_is_gone(spec, models, capsys):
    assert fetch(spec) == models / "tiny.safetensors"
    added(spec)
    assert left(models) == ["tiny.safetensors"]
    assert "fetch: 1,201/1,201 kB" in capsys.readouterr().err


def test_a_connection_that_breaks_is_opened_again_where_it_broke(
    spec, site, content, capsys
):
    site.cuts = [500_000, 300_000]
    fetch(spec, quiet=True)
    added(spec)
    ranges = [wanted for _, _, wanted in site.asked]
    assert ranges == [None, "bytes=500000-", "bytes=800000-"]
    assert site.sent == len(content)
    assert capsys.readouterr().err == ""


def test_a_broken_off_download_goes_on_another_day(spec, site, content, models):
    site.cuts = [500_000, 0]
    with pytest.raises(WeightsError, match=r"broke after 500,000 bytes; run the same"):
        fetch(spec)
    assert "downloads/tiny/tiny.safetensors" in left(models)
    assert not library.present(spec)
    site.asked.clear()
    fetch(spec)
    added(spec)
    assert [wanted for _, _, wanted in site.asked] == ["bytes=500000-"]
    assert site.sent == len(content)
    assert left(models) == ["tiny.safetensors"]


def test_what_has_changed_meanwhile_is_brought_anew(spec, site, content):
    site.cuts = [500_000, 0]
    with pytest.raises(WeightsError, match="broke after"):
        fetch(spec)
    site.etag = '"two"'
    fetch(spec)
    added(spec)
    assert site.sent == 500_000 + len(content)


@pytest.mark.parametrize("changed", [{"ranges": False}, {"etag": None}])
def test_a_server_that_cannot_go_on_begins_anew(changed, spec, site, content):
    for name, value in changed.items():
        setattr(site, name, value)
    site.cuts = [500_000]
    fetch(spec)
    added(spec)
    assert site.sent == 500_000 + len(content)


def test_a_server_that_always_breaks_off_is_given_up(spec, site):
    site.ranges = False
    site.cuts = [1000] * 99
    with pytest.raises(WeightsError, match="broke after 1,000 bytes"):
        fetch(spec)
    assert len(site.asked) == 2


def test_a_whole_file_that_was_not_added_yet_is_not_brought_again(
    spec, site, content, models
):
    file = models / "downloads" / "tiny" / "tiny.safetensors"
    file.parent.mkdir(parents=True)
    transfer.download(f"{site.url}/tiny.safetensors", file, quiet=True)
    transfer.download(f"{site.url}/tiny.safetensors", file, quiet=True)  # by 416
    assert file.read_bytes() == content
    fetch(spec)
    added(spec)
    assert site.sent == len(content)


def test_bytes_past_the_end_are_dropped(spec, site, content, tmp_path):
    file = tmp_path / "a"
    transfer.download(f"{site.url}/tiny.safetensors", file, quiet=True)
    with file.open("ab") as opened:
        opened.write(b"more")
    transfer.download(f"{site.url}/tiny.safetensors", file, quiet=True)
    assert file.read_bytes() == content


def test_another_file_than_the_published_is_not_kept(spec, site, content, models):
    site.files["/tiny.safetensors"] = content[:-1] + b"x"
    with pytest.raises(WeightsError, match=r"expected a file with the SHA-256 .* got"):
        fetch(spec)
    assert left(models) == []


def test_the_beginning_of_a_digest_is_enough_and_must_fit(spec, content, models):
    start = sha256(content)[:8].upper()
    short = replace(spec.source, sha256="", sha256_prefix=start)
    fetch(replace(spec, source=short))
    wrong = replace(short, sha256_prefix="00000000")
    library.remove(spec)
    with pytest.raises(WeightsError, match="SHA-256 00000000"):
        fetch(replace(spec, source=wrong))
    assert left(models) == []


def test_a_file_of_another_size_is_not_even_brought(spec, site):
    site.files["/tiny.safetensors"] = b"<html>moved</html>"
    with pytest.raises(WeightsError, match=r"expected 1,20.* bytes at .*, got 18"):
        fetch(spec)
    assert site.sent <= 18


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "is not there any more"), (410, "not there"), (503, "refused .503 Service")],
)
def test_a_refusal_is_one_line(status, words, spec, site, models):
    site.status = status
    with pytest.raises(WeightsError, match=words) as caught:
        fetch(spec)
    assert "\n" not in str(caught.value)
    assert left(models) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/tiny.pth", HUB])
def test_without_a_network_it_says_what_else_can_be_done(url, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    spec = tiny(source=Source(url=url, sha256="0" * 64))
    with pytest.raises(
        WeightsError,
        match=r"no answer from 127.0.0.1:9 .*refused.* `terradrift models add",
    ):
        fetch(spec)


def test_an_address_without_protection_needs_a_digest(spec):
    with pytest.raises(WeightsError, match="https address where no digest is known"):
        fetch(replace(spec, source=replace(spec.source, sha256="")))
    with pytest.raises(WeightsError, match="http or https address, got ftp"):
        fetch(
            replace(spec, source=replace(spec.source, url="ftp://a/b.pth", bytes=None))
        )


def test_the_file_of_another_model_stays_where_its_digest_is_known(spec, models):
    other = tiny(source=spec.source, build=lambda **_: torch.nn.Linear(2, 2))
    with pytest.raises(WeightsError, match="not the weights of tiny"):
        fetch(other)
    assert "downloads/tiny/tiny.safetensors" in left(models)
    assert not library.present(other)


def test_an_unsafe_file_is_refused_before_it_is_brought(spec, site, models):
    unsafe = replace(spec, source=replace(spec.source, unsafe=True))
    with pytest.raises(
        WeightsError,
        match=r"Download http.* --unsafe FILE OUT.* models add tiny OUT.safetensors`",
    ):
        fetch(unsafe)
    assert site.asked == []
    with pytest.raises(WeightsError, match="no public address"):
        fetch(tiny(source=Source(url="")))
    assert left(models) == []


def test_a_file_of_the_hub_is_checked_by_the_digest_that_the_hub_states(
    on_hub, site, content, models
):
    fetch(on_hub)
    added(on_hub)
    assert ("HEAD", ON_HUB, None) in site.asked
    assert left(models) == ["tiny.safetensors"]
    site.files["/cdn/tiny"] = content[:-1] + b"x"
    with pytest.raises(WeightsError, match="expected a file with the SHA-256"):
        fetch(on_hub)
    assert left(models) == ["tiny.safetensors"]


def test_a_download_from_the_hub_goes_on_where_it_broke(on_hub, site, content):
    site.cuts = [500_000, 0]
    with pytest.raises(WeightsError, match="broke after 500,000 bytes"):
        fetch(on_hub)
    fetch(on_hub)
    added(on_hub)
    assert site.asked[-1] == ("GET", "/cdn/tiny", "bytes=500000-")
    assert site.sent == len(content)


def test_a_branch_of_the_hub_is_brought_and_recorded_by_its_commit(on_hub, site):
    branch = HUB.replace(REVISION, "main")
    site.moved[ON_HUB.replace(REVISION, "main")] = f"{site.url}/cdn/tiny"
    spec = replace(on_hub, source=Source(url=branch))
    fetch(spec)
    gets = [path for method, path, _ in site.asked if method == "GET"]
    assert gets == [ON_HUB, "/cdn/tiny"]
    assert library.about(spec)["origin"] == site.url + ON_HUB


def test_another_digest_on_the_hub_is_refused_before_anything_is_brought(on_hub, site):
    with pytest.raises(WeightsError, match="the Hub has"):
        fetch(replace(on_hub, source=replace(on_hub.source, sha256="0" * 64)))
    assert site.sent == 0


def test_what_is_not_on_the_hub_is_one_line(on_hub, site):
    site.moved.clear()
    with pytest.raises(WeightsError, match="is not there any more") as caught:
        fetch(on_hub)
    assert "\n" not in str(caught.value)
    site.status = 503
    with pytest.raises(WeightsError, match=r"refused \(503"):
        fetch(on_hub)


def test_no_token_is_sent_to_the_hub(on_hub, site, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(on_hub)
    assert site.asked
    assert site.credentials == set()


def test_the_hub_is_asked_for_only_where_a_file_lies_there(spec):
    code = (
        "import sys; from terradrift.embed import fetch; "
        "print({'huggingface_hub', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
