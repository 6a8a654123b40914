"""Frozen graphs: used where they give what the network gives, and nowhere else."""

import threading

import numpy as np
import pytest
import torch

from terradrift.embed import forward_precision
from terradrift.embed.forward import Forward
from terradrift.embed.forward_graph import graph
from tests.embed import networks

CPU = torch.device("cpu")


def made(kind=networks.Dense, bf16=False, **given):
    torch.manual_seed(0)
    return Forward(kind(**given).eval(), CPU, bf16)


def pixels(n=5, seed=0, side=16):
    return (
        torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed)),
    )


def run(forward, prepared):
    with torch.inference_mode():
        return forward(prepared)


@pytest.mark.parametrize("output", ["pooled", "tokens"])
@pytest.mark.parametrize("bf16", [False, True])
def test_a_frozen_graph_gives_what_the_network_gives_for_any_number_of_chips(
    output, bf16
):
    forward = made(output=output, bf16=bf16)
    for n in (4, 1, 2, 9):
        prepared = pixels(n, seed=n)
        with torch.inference_mode():
            true = forward.network(*prepared)
        found = run(forward, prepared)
        assert found.dtype == torch.float32
        tolerance = 0.03 if bf16 else 1e-6
        torch.testing.assert_close(found, true, rtol=0, atol=tolerance)
    assert "frozen graph" in forward.how_run
    calls = len(forward.network.counts)
    run(forward, pixels(9))
    assert len(forward.network.counts) == calls, "the graph runs without the network"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (networks.Reading, "it reads numbers (aten._local_scalar_dense"),
        (networks.Counting, "it reads numbers (aten.index.Tensor"),
        (networks.Listing, "it reads numbers"),
        (networks.Batched, "its graph is of one number of chips"),
    ],
)
def test_a_network_whose_graph_would_be_wrong_is_run_itself_and_says_so(kind, why):
    forward = made(kind)
    for n, sign in ((3, 1), (5, -1)):
        (given,) = pixels(n, seed=n)
        prepared = (given.abs() * sign,)
        with torch.inference_mode():
            true = forward.network(*prepared)
        torch.testing.assert_close(run(forward, prepared), true)
    assert f"as it is: {why}" in forward.how_run


def test_a_graph_that_breaks_for_more_chips_gives_way_to_the_network():
    forward = made(networks.Split)
    run(forward, pixels(3))
    assert "frozen graph" in forward.how_run
    prepared = pixels(9)
    with torch.inference_mode():
        true = forward.network(*prepared)
    torch.testing.assert_close(run(forward, prepared), true)
    assert "as it is: its graph is of one number of chips" in forward.how_run


def test_picking_by_position_is_no_reading():
    class Positions(networks.Dense):
        def forward(self, pixels):
            return super().forward(pixels[:, torch.tensor([2, 0, 1])])

    forward = made(Positions)
    run(forward, pixels())
    assert "frozen graph" in forward.how_run


def test_vectors_that_are_nan_in_both_are_alike():
    class Undefined(networks.Dense):
        def forward(self, pixels):
            x = super().forward(pixels)
            return torch.where(pixels[:, 0, 0, :1] > 0, x, torch.nan)

    forward = made(Undefined)
    run(forward, pixels())
    assert "frozen graph" in forward.how_run


def test_chips_of_other_shapes_get_graphs_of_their_own_until_they_are_many():
    forward = made(output="tokens")
    for side in (8, 12, 16, 20):
        assert run(forward, pixels(2, side=side)).shape == (2, side // 4, side // 4, 8)
    assert "many shapes" not in forward.how_run
    assert run(forward, pixels(2, side=24)).shape == (2, 6, 6, 8)
    assert run(forward, pixels(2, side=28)).shape == (2, 7, 7, 8)
    calls = len(forward.network.counts)
    run(forward, pixels(2, side=24))
    assert len(forward.network.counts) == calls + 1, "no graph was made"


def test_calls_are_as_large_as_memory_is_meant_to_be():
    small, large = made(), made(channels=4096)
    for forward in (small, large):
        run(forward, pixels(2, side=64))
    with torch.inference_mode():
        seen = graph(large.network, pixels(2, side=64), bf16=False)
    assert seen.chip_bytes >= 4 * 4096 * 16 * 16
    assert large.rows == (256 << 20) // (4 * seen.chip_bytes)
    assert large.rows < small.rows


def test_threads_share_one_graph_and_agree():
    forward = made(bf16=True)
    prepared = pixels(4)
    found = {}

    def work(k):
        found[k] = run(forward, prepared).numpy()

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for k in range(1, 4):
        np.testing.assert_array_equal(found[k], found[0])


def test_bfloat16_is_chosen_where_it_is_safe_and_native(tmp_path):
    flags = tmp_path / "cpuinfo"
    flags.write_text("processor : 0\nflags : fpu avx512f avx512_bf16\n")
    assert "avx512_bf16" in forward_precision._flags(flags)
    assert forward_precision._flags(tmp_path / "none") == frozenset()
    native = forward_precision.native_bf16(CPU)
    use = forward_precision.use_bf16
    assert use("auto", safe=True, device=CPU) is native
    assert use("auto", safe=False, device=CPU) is False
    assert use("bf16", safe=False, device=CPU) is True
    assert use("fp32", safe=True, device=CPU) is False
    with pytest.raises(
        ValueError, match="precision must be auto, fp32 or bf16, got 'x'"
    ):
        use("x", safe=True, device=CPU)


def test_autocast_switched_on_outside_changes_nothing():
    forward = made(bf16=False)
    prepared = pixels(3)
    plain = run(forward, prepared)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(run(forward, prepared), plain, rtol=0, atol=0)
