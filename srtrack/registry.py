"""Registries of scope ``srtrack``: children of MMEngine's root registries.

A component registered here is found by its bare name inside srtrack's configs and as
``srtrack.<Name>`` from any other OpenMMLab project.
"""

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry


def _child(root: str, location: str = '') -> Registry:
    """Our registry below MMEngine's ``root``; its components are imported on first use."""
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

# Nothing of ours lives in these. They exist because MMEngine warns of each registry that a scope
# lacks when a config of that scope is built.
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

#: Estimators of prior sensitivity (Eq. 5 to 8) exist in no other project: a root of our own.
ESTIMATORS = Registry('prior estimator', scope='srtrack', locations=['srtrack.engine'])
