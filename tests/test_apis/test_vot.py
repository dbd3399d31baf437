"""The adapter of the VOT toolkit, called as the toolkit's worker calls it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from srtrack.apis import init_tracker
from srtrack.apis.vot import VOTTracker, region_to_box
from srtrack.datasets.transforms import DecodeDepth
from srtrack.registry import MODELS

CONFIG = 'configs/srtrack/srtrack_tiny_synthetic-rgbd.py'
BOX = (30.0, 24.0, 20.0, 16.0)


@pytest.fixture(scope='module')
def checkpoint(repo_root, tmp_path_factory):
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(repo_root / CONFIG).model)
    path = tmp_path_factory.mktemp('weights') / 'random.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


@pytest.fixture(scope='module')
def frames():
    """Colour (RGB) and depth in millimetres of three frames."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (3, 8, 10, 3), dtype=np.uint8)
    depth = rng.integers(500, 7000, (3, 72, 96), dtype=np.uint16)
    color = [cv2.resize(picture, (96, 72), interpolation=cv2.INTER_CUBIC) for picture in small]
    return list(zip(color, depth))


@pytest.fixture
def files(frames, tmp_path):
    """The colour files of the frames, as the toolkit names them; depth lies beside."""
    for name in ('color', 'depth'):
        (tmp_path / name).mkdir()
    paths = []
    for number, (color, depth) in enumerate(frames, start=1):
        # Without loss, so that arrays and files are the same frames.
        paths.append(tmp_path / 'color' / f'{number:08d}.png')
        cv2.imwrite(str(paths[-1]), cv2.cvtColor(color, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(tmp_path / 'depth' / f'{number:08d}.png'), depth)
    return [str(path) for path in paths]


@pytest.fixture
def tracker(repo_root, checkpoint):
    return VOTTracker(str(repo_root / CONFIG), checkpoint, device='cpu')


def follow(tracker, frames):
    first, *others = frames
    return [tracker.init(first, (BOX, {}), {}), *(tracker.update(each, [], {}) for each in others)]


def test_files_and_arrays_give_the_boxes_of_the_tracker(
    repo_root, checkpoint, tracker, frames, files
):
    plain = init_tracker(str(repo_root / CONFIG), checkpoint)
    pictures = [(color, DecodeDepth().render(depth)) for color, depth in frames]
    plain.initialize(*pictures[0], box=BOX)
    expected = [plain.track(*picture) for picture in pictures[1:]]
    arrays = [dict(color=color, depth=depth) for color, depth in frames]
    for output in (follow(tracker, files), follow(tracker, arrays)):
        assert output[0] == (BOX, dict(confidence=0.0))
        assert output[1:] == [(each['box'], dict(confidence=each['score'])) for each in expected]
    # As the toolkit's runtime tells a rectangle from other regions.
    assert isinstance(output[1][0], tuple)
    assert all(type(number) is float for number in output[1][0])


def test_depth_that_the_toolkit_cut_to_8_bits_is_told(tracker, frames):
    color, depth = frames[0]
    cut = cv2.merge([(depth >> 8).astype(np.uint8)] * 3)
    with pytest.warns(UserWarning, match='16-bit'):
        tracker.init(dict(color=color, depth=cut), (BOX, {}), {})
    with pytest.warns(UserWarning), pytest.raises(ValueError, match='aux_loader=None'):
        tracker.update(dict(color=color, depth=color))


def test_depth_that_is_missing_is_named(tracker, frames, files, tmp_path):
    color, depth = frames[0]
    for frame in (dict(color=color), dict(color=color, depth=None)):
        with pytest.raises(ValueError, match="no channel 'depth'; it has color"):
            tracker.init(frame, (BOX, {}), {})
    with pytest.raises(ValueError, match='the same size'):
        tracker.init(dict(color=color, depth=depth[:-1]), (BOX, {}), {})
    tracker.init(files[0], (BOX, {}), {})
    missing = tmp_path / 'depth' / '00000002.png'
    missing.unlink()
    with pytest.raises(ValueError, match=f'cannot read {missing}'):
        tracker.update(files[1])


def test_a_sequence_without_depth_is_named(tracker, files, tmp_path):
    (tmp_path / 'depth').rename(tmp_path / 'elsewhere')
    with pytest.raises(ValueError, match=f'{tmp_path / "depth"} has no depth image 00000001'):
        tracker.init(files[0], (BOX, {}), {})


def test_only_errors_that_the_toolkit_reports(repo_root, checkpoint):
    with pytest.raises(RuntimeError, match='FileNotFoundError: no config at nowhere'):
        VOTTracker('nowhere.py', checkpoint, 'cpu')
    with pytest.raises(RuntimeError, match=r'missing\.pth'):
        VOTTracker(str(repo_root / CONFIG), 'missing.pth', 'cpu')
    with pytest.raises(ValueError, match='is not key=value'):
        VOTTracker(str(repo_root / CONFIG), checkpoint, 'cpu', 'model.test_cfg')


def test_options_and_channels_come_from_the_config(repo_root, checkpoint, tmp_path, frames):
    options = 'model.test_cfg.size_momentum=0.5 model.test_cfg.margin=3'
    tracker = VOTTracker(str(repo_root / CONFIG), checkpoint, 'cpu', options)
    test_cfg = tracker.tracker.model.test_cfg
    assert (test_cfg['size_momentum'], test_cfg['margin']) == (0.5, 3)

    one_stream = Config.fromfile(repo_root / 'configs/one_stream/tiny_synthetic-source.py')
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=MODELS.build(one_stream.model).state_dict()), path)
    color, depth = frames[0]
    for modality, missing in (('rgb', 'depth'), ('aux', 'color')):
        one_stream.test_dataloader.dataset.source.modalities = [modality]
        one_stream.dump(tmp_path / f'{modality}.py')
        tracker = VOTTracker(str(tmp_path / f'{modality}.py'), str(path), 'cpu')
        frame = {**dict(color=color, depth=depth), missing: None}
        assert tracker.init(frame, (BOX, {}), {})[0] == BOX


def test_regions_become_the_enclosing_box():
    assert region_to_box((np.float32(1.5), 2, 3, 4)) == (1.5, 2.0, 3.0, 4.0)
    assert region_to_box([(2.0, 1.0), (6.5, 3.0), (4.0, 9.0)]) == (2.0, 1.0, 4.5, 8.0)
    mask = np.zeros((12, 10), np.uint8)
    mask[3:8, 4:6] = 1
    assert region_to_box(mask) == (4.0, 3.0, 2.0, 5.0)
    for bad in ((3.0, 4.0), mask * 0, 'rectangle', []):
        with pytest.raises(ValueError, match='a rectangle, a polygon or a mask'):
            region_to_box(bad)
