# The tiny RGB tracker, pre-trained on the embedded benchmark's source domain.
_base_ = [
    '../_base_/models/tiny.py',
    '../_base_/datasets/synthetic-source.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/tiny_pretrain.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
default_hooks = dict(logger=dict(interval=10))
