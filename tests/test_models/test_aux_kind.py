"""What the auxiliary pictures show, from the data set to a model that asks for it (UnTrack)."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from srtrack.datasets import SyntheticDataset
from srtrack.datasets.benchmarks import COESOT, FE108, DepthTrack, LasHeR, LaSOT, VisEvent
from srtrack.registry import DATASETS, MODELS
from srtrack.structures import TrackDataSample

KINDS = dict(rgbt='thermal', rgbd='depth', rgbe='event')
UNTRACK = dict(
    type='PEFTTracker',
    backbone=dict(
        type='UnTrack',
        template_size=64,
        search_size=128,
        embed_dims=32,
        depth=2,
        num_heads=2,
    ),
    head=dict(type='CenterHead', in_channels=32, channels=16),
)


def untrack(modality='thermal'):
    """The same weights for any default modality, spread so that modalities differ."""
    torch.manual_seed(0)
    model = MODELS.build(dict(UNTRACK, backbone=dict(UNTRACK['backbone'], modality=modality)))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    return model.eval()


def test_benchmarks_say_what_their_auxiliary_pictures_show():
    kinds = {each: each.default_layout.get('aux_kind') for each in (LasHeR, DepthTrack, LaSOT)}
    assert list(kinds.values()) == ['thermal', 'depth', None]
    for benchmark in (VisEvent, COESOT, FE108):
        assert benchmark.default_layout['aux_kind'] == 'event'
    for domain, kind in (*KINDS.items(), ('source', None)):
        assert SyntheticDataset(domain)[0].aux_kind == kind


@pytest.fixture
def joint_batch(repo_root):
    """Six pairs of the three domains, packed and stacked as in training."""
    init_default_scope('srtrack')
    path = repo_root / 'configs/srtrack/srtrack_tiny_synthetic-joint.py'
    config = Config.fromfile(str(path)).train_dataloader.dataset
    for source in config.sources:
        source.num_sequences, source.num_frames = 2, 10
    pairs = DATASETS.build(config)
    return untrack().data_preprocessor(pseudo_collate([pairs[n] for n in range(6)]), True)


def test_a_mixed_batch_is_its_samples_by_themselves(joint_batch):
    inputs, samples = joint_batch['inputs'], joint_batch['data_samples']
    assert [sample.aux_kind for sample in samples] == [
        KINDS[sample.sequence.partition('-')[0]] for sample in samples
    ]
    assert {sample.aux_kind for sample in samples} == set(KINDS.values())
    with torch.no_grad():
        mixed = untrack()(inputs, samples, mode='tensor')['search_feature']
        for i, sample in enumerate(samples):
            alone = {name: values[i : i + 1] for name, values in inputs.items()}
            as_each = {
                kind: untrack(kind)(alone, mode='tensor')['search_feature'][0]
                for kind in KINDS.values()
            }
            own = as_each.pop(sample.aux_kind)
            torch.testing.assert_close(mixed[i], own, rtol=1e-4, atol=1e-4)
            assert all((mixed[i] - other).abs().max() > 0.1 for other in as_each.values())

    codes = torch.tensor([dict(depth=1, thermal=2, event=3)[each.aux_kind] for each in samples])
    model, bare = untrack(), [TrackDataSample(gt_box=sample.gt_box) for sample in samples]
    losses = model(inputs, samples, mode='loss')
    told = model(dict(inputs, modality=codes), bare, mode='loss')
    assert all(torch.equal(losses[name], told[name]) for name in losses)
    model.parse_losses(losses)[0].backward()
    embedding = model.backbone.prompt_embedding.modalities
    assert all(layer.weight.grad.abs().sum() > 0 for layer in embedding.values())


def test_tracking_sequences_of_different_modalities_side_by_side():
    init_default_scope('srtrack')
    sequences = [SyntheticDataset(domain, 'test', 1, 4)[0] for domain in KINDS]

    def track(model, sequences, told=True):
        boxes = []
        for t in range(4):
            frames, samples = [], []
            for each in sequences:
                frames.append(torch.from_numpy(each.read(t)['rgb']).repeat(1, 1, 2))
                frames[-1][..., 3:] = torch.from_numpy(each.read(t)['aux'])
                meta = dict(dataset='d', sequence=each.name, frame_index=t, num_frames=4)
                meta.update(init=t == 0, aux_kind=each.aux_kind if told else None)
                samples.append(TrackDataSample(metainfo=meta, gt_box=each.boxes[t]))
            model(dict(frame=frames), samples, mode='predict')
            boxes.append([tuple(sample.pred_box) for sample in samples])
        return boxes

    together = track(untrack(), sequences)
    for i, each in enumerate(sequences):
        alone = track(untrack(each.aux_kind), [each], told=False)
        assert [boxes[i] for boxes in together] == [boxes[0] for boxes in alone]
    assert track(untrack(), sequences, told=False) != together


def test_a_kind_that_the_model_does_not_know():
    with pytest.raises(ValueError, match="aux_kind='sonar' of the data is none of depth, thermal"):
        untrack().backbone.modality_codes(['depth', 'sonar'])
