"""One-stream backbones, and the dual branch built from any of them."""

from .candidate_elimination import CandidateElimination
from .dual_branch import DualBranch
from .fast_itpn import FastITPN
from .one_stream_vit import OneStreamViT

__all__ = ['CandidateElimination', 'DualBranch', 'FastITPN', 'OneStreamViT']
