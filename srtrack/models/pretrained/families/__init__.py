"""One file per project whose checkpoints can be read, and the table of all of them."""

from ..conversion import Family
from .ostrack import DROPTRACK, OSTRACK
from .sdstrack import SDSTRACK
from .srtrack import SRTRACK
from .sutrack import SUTRACK
from .untrack import UNTRACK
from .vipt import VIPT

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (OSTRACK, DROPTRACK, SUTRACK, SRTRACK, VIPT, UNTRACK, SDSTRACK)
}

__all__ = ['FAMILIES']
