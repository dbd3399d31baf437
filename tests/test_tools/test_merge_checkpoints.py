"""merge_checkpoints.py on whole trackers, run in this process."""

from __future__ import annotations

import json

import pytest
import torch

from srtrack.apis import init_model
from srtrack.models.pretrained import load_weights, read_checkpoint


@pytest.fixture(scope='module')
def trackers(tmp_path_factory, repo_root):
    """Files of a one-stream tracker, and of two dual ones that it became, and a dual model."""
    folder, files = tmp_path_factory.mktemp('trackers'), {}
    dual = str(repo_root / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py')
    one_stream = str(repo_root / 'configs/one_stream/tiny_synthetic-source.py')
    for seed, (name, config) in enumerate(dict(start=one_stream, a=dual, b=dual).items()):
        torch.manual_seed(seed)
        model = init_model(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.1)
        files[name] = folder / f'{name}.pth'
        torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=seed)), files[name])
    return files, model


def test_point_between_a_tracker_and_what_it_became(load_tool, trackers, tmp_path):
    files, model = trackers
    merge = load_tool('model_converters/merge_checkpoints.py')
    status, out, _ = merge('half.pth', files['start'], files['a'], '--alpha', '0.25')
    assert status == 0
    report = json.loads(out.splitlines()[-1])
    assert [each['weight'] for each in report['merged']] == [0.75, 0.25]
    content = torch.load(tmp_path / 'half.pth', weights_only=True)
    assert content['meta']['epoch'] == 1 and len(content['meta']['merged']) == 2
    # The model expands a one-stream checkpoint by itself: an independent way to the same start.
    load_weights(model, read_checkpoint(str(files['start'])), 'start')
    start, end = model.state_dict(), read_checkpoint(str(files['a']))
    for name, value in content['state_dict'].items():
        if value.is_floating_point():
            expected = (0.75 * start[name].double() + 0.25 * end[name].double()).float()
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-8)
    load_weights(model, content['state_dict'], 'half')


def test_soup_is_the_mean(load_tool, trackers, tmp_path):
    files, _ = trackers
    merge = load_tool('model_converters/merge_checkpoints.py')
    assert merge('soup.pth', files['a'], files['b'], files['b'])[0] == 0
    a, b = (read_checkpoint(str(files[name])) for name in 'ab')
    found = read_checkpoint(str(tmp_path / 'soup.pth'))
    name = 'backbone.fusion.1.attn.qkv.weight'
    torch.testing.assert_close(found[name], (a[name] + 2 * b[name]) / 3)


def test_what_cannot_be_merged_is_refused_in_a_line(load_tool, trackers, tmp_path):
    files, _ = trackers
    merge = load_tool('model_converters/merge_checkpoints.py')
    status, _, error = merge('x.pth', files['a'], files['start'])
    assert status == 1 and f'{files["start"]} cannot be merged: backbone.' in error
    assert 'is in one of the models only' in error and not (tmp_path / 'x.pth').exists()
    for arguments, message in (
        ([files['a']], 'at least two checkpoints'),
        ([files['a'], files['b'], files['b'], '--alpha', '0.5'], '--alpha takes two'),
        ([files['a'], files['b'], '--alpha', '1.5'], '--alpha must be in [0, 1]'),
    ):
        status, _, error = merge('x.pth', *arguments)
        assert status == 2 and message in error
    status, _, error = merge(files['a'], files['a'], files['b'])
    assert status == 2 and 'one of the sources' in error
