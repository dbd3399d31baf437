"""Evaluation protocols as pure functions (NumPy, float64)."""

from .fe108 import FE108
from .gtot import GTOT
from .lasher import LASHER
from .long_term import DEPTHTRACK
from .multistart import VOT_RGBD2022
from .ope import OPE
from .protocol import Annotation, Curve, Evaluation, Protocol, Track, TrackError
from .rgbt210 import RGBT210
from .rgbt234 import RGBT234
from .visevent import COESOT, VISEVENT
from .vtuav import VTUAV

#: Protocol name -> protocol. A new one needs a file and a line here.
PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        *(OPE, LASHER, RGBT234, RGBT210, GTOT, VTUAV),
        *(VISEVENT, COESOT, FE108, DEPTHTRACK, VOT_RGBD2022),
    )
}

__all__ = ['PROTOCOLS', 'Annotation', 'Curve', 'Evaluation', 'Protocol', 'Track', 'TrackError']
