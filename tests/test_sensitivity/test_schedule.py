import pytest
import torch

from srtrack.sensitivity import harmony_weights, joint_sensitivity


@pytest.mark.parametrize('kappa', [0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0])
def test_ends_and_middle(kappa):
    assert harmony_weights(0, kappa) == (kappa, 1 - kappa)
    assert harmony_weights(1, kappa) == (1 - kappa, kappa)
    assert harmony_weights(0.5, kappa) == pytest.approx((0.5, 0.5), abs=1e-15)


@pytest.mark.parametrize('progress', [0.1, 0.37, 0.8])
def test_equals_equation_14_as_printed(progress):
    kappa = 0.6
    drift = (1 - 2 * kappa) * progress
    expected = (kappa + drift, 1 - kappa - drift)
    assert harmony_weights(progress, kappa) == pytest.approx(expected, abs=1e-15)


def test_progress_is_clamped():
    assert harmony_weights(-0.2, 0.6) == harmony_weights(0, 0.6)
    assert harmony_weights(1.01, 0.6) == harmony_weights(1, 0.6)


def test_bad_values():
    for kappa in (-0.1, 1.1, float('nan')):
        with pytest.raises(ValueError, match='kappa'):
            harmony_weights(0.5, kappa)
    with pytest.raises(ValueError, match='progress'):
        harmony_weights(float('nan'), 0.5)
    with pytest.raises(ValueError, match='max_sensitivity'):
        joint_sensitivity(0.5, None, 0.5, 0.6, 1.5)


def test_joint_sensitivity_and_switches():
    rank = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    joint = joint_sensitivity(0.8, rank, 0.25, 0.6, 0.99)
    # Weights at t/T = 1/4: 0.55 and 0.45.
    torch.testing.assert_close(joint, 0.99 * (0.55 * 0.8 + 0.45 * rank))
    torch.testing.assert_close(joint_sensitivity(0.0, rank, 0.25, 0.6, 0.99), 0.99 * 0.45 * rank)
    assert joint_sensitivity(0.8, None, 0.25, 0.6, 0.99) == pytest.approx(0.99 * 0.55 * 0.8)
    assert joint_sensitivity(1.0, torch.ones(1), 0.4, 0.6, 0.99).item() == pytest.approx(0.99)
