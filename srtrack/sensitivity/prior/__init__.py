"""Prior sensitivity (Eq. 2 to 8): the curvature of the source loss along each operation.

===================== =================================== ==========================================
estimator             measures                            per batch and N operations
===================== =================================== ==========================================
``FiniteDifference``  Eq. 7 along random directions       2 N losses, float64
``RayleighProbe``     the same directions, exact          N Hessian-vector products
``Lanczos``           leading eigenvalues of the Hessian  20 N to 100 N Hessian-vector products
``FisherGram``        leading eigenvalues of the Fisher   B backward passes, for any N
===================== =================================== ==========================================
"""

from .base import PriorEstimator, StagedLoss, split_tensors
from .curvature import RayleighProbe
from .finite_difference import FiniteDifference
from .fisher_gram import FisherGram
from .identity import describe_module, describe_value, fingerprint
from .lanczos import Lanczos
from .result import PriorResult

__all__ = [
    'FiniteDifference',
    'FisherGram',
    'Lanczos',
    'PriorEstimator',
    'PriorResult',
    'RayleighProbe',
    'StagedLoss',
    'describe_module',
    'describe_value',
    'fingerprint',
    'split_tensors',
]
