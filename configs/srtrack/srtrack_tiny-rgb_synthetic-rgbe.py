_base_ = [
    '../_base_/models/srtrack_tiny-rgb.py',
    '../_base_/datasets/synthetic-rgbe.py',
    '../_base_/datasets/synthetic-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/tiny_finetune.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
load_from = 'srtrack::tiny-rgb'
default_hooks = dict(logger=dict(interval=10))
