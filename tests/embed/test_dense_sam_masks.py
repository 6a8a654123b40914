"""Masks by SAM's official network: prompts, what is kept, and what comes of random weights."""

from pathlib import Path

import numpy as np
import pytest

from terradrift.archive.segments import regions as segment_regions
from terradrift.detect.segments.labels import areas
from terradrift.detect.segments.settings import Settings
from terradrift.embed import sam_masks
from terradrift.embed.sam_masks import How, SamMasks
from terradrift.errors import WeightsError

CONFIG = "configs/sam2.1/sam2.1_hiera_t.yaml"
SMALL = [
    "++model.image_encoder.trunk.embed_dim=8",
    "++model.image_encoder.trunk.stages=[1,1,1,1]",
    "++model.image_encoder.trunk.global_att_blocks=[]",
    "++model.image_encoder.neck.d_model=32",
    "++model.image_encoder.neck.position_encoding.num_pos_feats=32",
    "++model.image_encoder.neck.backbone_channel_list=[64,32,16,8]",
    "++model.memory_attention.d_model=32",
    "++model.memory_attention.num_layers=1",
    "++model.memory_attention.layer.d_model=32",
    "++model.memory_attention.layer.dim_feedforward=16",
    "++model.memory_attention.layer.self_attention.embedding_dim=32",
    "++model.memory_attention.layer.cross_attention.embedding_dim=32",
]


@pytest.fixture(scope="module")
def small() -> SamMasks:
    """The official network, narrow, of random weights; it keeps masks of any quality."""
    pytest.importorskip("sam2")
    import torch

    from terradrift.embed.vision import library

    library("torchvision")
    torch.manual_seed(0)
    network = library("sam2.build_sam").build_sam2(
        CONFIG, device="cpu", hydra_overrides_extra=SMALL
    )
    how = How(points=2, predicted_iou=-1, stability=0, box_iou=0.9)
    return SamMasks(network.eval(), how)


@pytest.mark.slow
def test_masks_of_any_size_of_image_and_the_rest_in_superpixels(small) -> None:
    image = np.random.default_rng(0).uniform(0, 0.3, (4, 45, 60)).astype(np.float32)
    image[:, :10, :10] = np.nan
    bands = ("nir", "blue", "red", "green")
    masks = small.masks(image[[2, 3, 1]])
    assert 0 < len(masks) <= 4 * 3
    assert all(mask.shape == (45, 60) and mask.any() for mask in masks)
    again = small.masks(image[[2, 3, 1]])
    assert all((a == b).all() for a, b in zip(masks, again, strict=True))
    segment = segment_regions.by_sam(small, Settings(), gsd=10, bands=bands)
    labels = segment(image, image + np.float32(0.01))
    assert labels.shape == (45, 60)
    assert areas(labels).min() > 0
    assert areas(labels).sum() == 45 * 60
    corner = labels[:10, :10]
    assert not np.isin(corner, np.delete(labels, np.s_[:10], axis=0)).any()


@pytest.mark.slow
def test_no_good_mask_leaves_the_superpixels(small) -> None:
    image = np.random.default_rng(0).uniform(0, 0.3, (3, 40, 40)).astype(np.float32)
    strict = SamMasks(small.network, How(points=1, predicted_iou=2.0))
    assert strict.masks(image) == []
    one = segment_regions.by_sam(strict, Settings(), gsd=10, bands=sam_masks.RGB)
    other = segment_regions.by_superpixels(Settings(), gsd=10)
    np.testing.assert_array_equal(one(image, image), other(image, image))
    with pytest.raises(ValueError, match="expected bands red, green, blue, got 2"):
        strict.masks(image[:2])


def test_rivals_of_a_surer_mask_go() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 4], [20, 20, 30, 30]])
    sure = np.array([0.7, 0.9, 0.8, 0.1])
    assert sam_masks.best_apart(boxes, sure, 0.4) == [1, 3]
    assert sam_masks.best_apart(boxes, sure, 0.5) == [1, 2, 3]
    assert sam_masks.best_apart(boxes[:0], sure[:0], 0.4) == []


def test_prompts_are_the_middles_of_a_grid() -> None:
    found = sam_masks.grid((20, 40), 2)
    np.testing.assert_array_equal(found, [[10, 5], [30, 5], [10, 15], [30, 15]])


def test_a_mask_is_stable_where_its_edge_is_sharp() -> None:
    logits = np.full((4, 4), -5.0)
    logits[:2] = 5
    assert sam_masks.stable(logits) == 1
    logits[2] = 0.5
    assert sam_masks.stable(logits) == pytest.approx(8 / 12)
    assert sam_masks.stable(np.full((2, 2), -9.0)) == 0


def test_reflectance_becomes_eight_bits_and_unclear_black() -> None:
    given = np.array([[[0, 0.15, 0.3, 0.9, np.nan]]], np.float32)
    assert sam_masks.eight_bits(given).ravel().tolist() == [0, 128, 255, 255, 0]


def test_what_was_taken_is_said_and_nothing_falls_back_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERRADRIFT_MODELS", str(tmp_path))
    given = {"gsd": 10.0, "bands": sam_masks.RGB}
    _, words = segment_regions.segmenter("auto", Settings(), **given)
    assert words.endswith("(SLIC), as no checkpoint of SAM 2.1 is here")
    _, words = segment_regions.segmenter("superpixels", Settings(), **given)
    assert words == "segments: superpixels (SLIC)"
    with pytest.raises(WeightsError, match=r"put one of sam2\.1_hiera_tiny\.pt"):
        segment_regions.segmenter("sam", Settings(), **given)
    other = {"gsd": 10.0, "bands": ("red", "nir")}
    with pytest.raises(ValueError, match="lack green, blue"):
        segment_regions.segmenter("sam", Settings(), **other)
    _, words = segment_regions.segmenter("auto", Settings(), **other)
    assert "bands green, blue for SAM are not there" in words
    with pytest.raises(WeightsError, match="give the file its published name"):
        sam_masks.opened(tmp_path / "other.pt")


def test_a_damaged_checkpoint_is_no_reason_for_superpixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sam2")
    monkeypatch.setenv("TERRADRIFT_MODELS", str(tmp_path))
    (tmp_path / "sam2.1_hiera_tiny.pt").write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match="expected a file of safetensors"):
        segment_regions.segmenter("auto", Settings(), gsd=10.0, bands=sam_masks.RGB)


@pytest.mark.slow
def test_a_checkpoint_is_loaded_whole_or_refused(tmp_path: Path) -> None:
    pytest.importorskip("sam2")
    import torch

    network = sam_masks._network(CONFIG)
    state = network.state_dict()
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.save({"model": state}, path)
    found = sam_masks.opened(path).network.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)
    del state["no_mem_embed"]
    torch.save({"model": state}, path)
    with pytest.raises(WeightsError, match="got another network's"):
        sam_masks.opened(path)
