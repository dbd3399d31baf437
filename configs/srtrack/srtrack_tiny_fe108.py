# The tiny tracker on FE108, or on any folder with the same layout.
_base_ = [
    '../_base_/models/srtrack_tiny.py',
    '../_base_/datasets/fe108.py',
    '../_base_/datasets/synthetic-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/tiny_finetune.py',
]
train_dataloader = dict(
    batch_size=32, num_workers=1, dataset=dict(_base_.train_pairs, pairs_per_epoch=960)
)
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
val_dataloader = dict(num_workers=1)
test_dataloader = val_dataloader
default_hooks = dict(logger=dict(interval=10))
