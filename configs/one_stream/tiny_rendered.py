# The RGB tracker that comes with the package, pre-trained on the rendered world (docs/benchmark.md).
_base_ = [
    '../_base_/models/tiny-rgb.py',
    '../_base_/datasets/rendered.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/rendered_pretrain.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
