"""Registries of scope ``srtrack``: children of MMEngine's root registries.

srtrack's configs use the bare name of a component registered here; other OpenMMLab projects use
``srtrack.<Name>``.
"""

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry


def _child(root: str, location: str = '') -> Registry:
    """A registry below MMEngine's ``root`` that imports its components on first use."""
    parent = getattr(mmengine_registry, root)
    locations = [f'srtrack.{location}'] if location else []
    return Registry(parent.name, parent=parent, scope='srtrack', locations=locations)


MODELS = _child('MODELS', 'models')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS', 'engine')
DATASETS = _child('DATASETS', 'datasets')
DATA_SAMPLERS = _child('DATA_SAMPLERS', 'datasets')
TRANSFORMS = _child('TRANSFORMS', 'datasets')
METRICS = _child('METRICS', 'evaluation.metrics')
HOOKS = _child('HOOKS', 'engine')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'engine')
RUNNERS = _child('RUNNERS', 'engine')
STRATEGIES = _child('STRATEGIES', 'engine')

# These stay empty. Without them MMEngine warns about each registry that the scope lacks.
for _name in (
    'EVALUATOR',
    'FUNCTIONS',
    'INFERENCERS',
    'LOG_PROCESSORS',
    'LOOPS',
    'OPTIMIZERS',
    'PARAM_SCHEDULERS',
    'RUNNER_CONSTRUCTORS',
    'TASK_UTILS',
    'VISBACKENDS',
    'VISUALIZERS',
    'WEIGHT_INITIALIZERS',
):
    _child(_name)

#: Estimators of prior sensitivity (Eq. 5 to 8); MMEngine has no such registry.
ESTIMATORS = Registry('prior estimator', scope='srtrack', locations=['srtrack.engine'])
