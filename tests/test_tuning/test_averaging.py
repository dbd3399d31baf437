import pytest
import torch
from torch import nn

from srtrack.tuning import WeightAverage


def model(seed, dtype=torch.float32):
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)).to(dtype)
    made(torch.randn(8, 5, dtype=dtype))  # moves the running statistics
    return made.state_dict()


def average(*pairs):
    found = WeightAverage()
    for state_dict, weight in pairs:
        found.add(state_dict, weight)
    return found.result()


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
def test_mean_is_that_of_float64(dtype):
    models = [model(seed, dtype) for seed in range(3)]
    found = average(*((each, weight) for each, weight in zip(models, (1, 2, 5))))
    for name, value in found.items():
        if name.endswith('num_batches_tracked'):
            continue
        expected = sum(w * each[name].double() for each, w in zip(models, (1, 2, 5))) / 8
        torch.testing.assert_close(value, expected.to(dtype), rtol=0, atol=0)
        assert value.dtype is dtype


def test_ends_of_the_line_are_the_models_bit_for_bit():
    start, end = model(0), model(1)
    for alpha, expected in ((0.0, start), (1.0, end)):
        found = average((start, 1 - alpha), (end, alpha))
        for name in expected:
            assert torch.equal(found[name], expected[name]), name


def test_counters_are_those_of_the_last_model():
    start, end = model(0), model(1)
    end['1.num_batches_tracked'] += 7
    found = average((start, 1), (end, 1))['1.num_batches_tracked']
    assert found == 8 and found.dtype is torch.int64


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('0.bias'), '0.bias is in one of the models only'),
        (lambda s: s.update(extra=torch.ones(1)), 'extra is in one of the models only'),
        (lambda s: s.update({'0.bias': torch.ones(5)}), r'0.bias is \(5,\), elsewhere \(4,\)'),
        (lambda s: s.update({'0.bias': torch.full((4,), torch.nan)}), '0.bias holds a NaN'),
        (lambda s: s.update({'0.bias': torch.ones(4).int()}), '0.bias is torch.int32'),
    ],
)
def test_another_architecture_is_refused_by_name(change, message):
    other = dict(model(1))
    change(other)
    with pytest.raises(ValueError, match=message):
        average((model(0), 1), (other, 1))


def test_weights_that_make_no_mean_are_refused():
    with pytest.raises(ValueError, match='negative'):
        average((model(0), 2), (model(1), -1))
    with pytest.raises(ValueError, match='add up to 0'):
        average((model(0), 0), (model(1), 0))
