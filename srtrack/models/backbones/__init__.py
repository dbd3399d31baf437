"""One-stream backbones, and the dual branch that composes any of them."""

from .candidate_elimination import CandidateElimination
from .dual_branch import DualBranch
from .one_stream_vit import OneStreamViT

__all__ = ['CandidateElimination', 'DualBranch', 'OneStreamViT']
