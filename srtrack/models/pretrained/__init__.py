"""Checkpoints of other projects: read safely, renamed to our names, checked against the model.

``load_from='ostrack:path/to/OSTrack_ep0300.pth.tar'`` works wherever MMEngine takes a checkpoint:
each family in :data:`FAMILIES` is a prefix for its checkpoint loader. A new family needs one file
in ``families/`` and a name in the table there.
"""

from .conversion import ConversionReport, Family, convert, find_missing
from .families import FAMILIES
from .loading import (
    check_checkpoint,
    convert_state_dict,
    describe_source,
    first_not_finite,
    load_weights,
    read_checkpoint,
    split_source,
    state_dict_of,
)
from .reading import CheckpointError, read_foreign_checkpoint, sha256
from .shipped import shipped_weights
from .writing import WEIGHTS, publish_checkpoint, published_content, write_checkpoint

__all__ = [
    'FAMILIES',
    'WEIGHTS',
    'CheckpointError',
    'ConversionReport',
    'Family',
    'check_checkpoint',
    'convert',
    'convert_state_dict',
    'describe_source',
    'find_missing',
    'first_not_finite',
    'load_weights',
    'publish_checkpoint',
    'published_content',
    'read_checkpoint',
    'read_foreign_checkpoint',
    'sha256',
    'shipped_weights',
    'split_source',
    'state_dict_of',
    'write_checkpoint',
]
