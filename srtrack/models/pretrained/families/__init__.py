"""One file for each project whose checkpoints can be read; this table names them all."""

from ..conversion import Family
from .ostrack import DROPTRACK, OSTRACK
from .srtrack import SRTRACK
from .sutrack import SUTRACK

FAMILIES: dict[str, Family] = {
    family.name: family for family in (OSTRACK, DROPTRACK, SUTRACK, SRTRACK)
}

__all__ = ['FAMILIES']
