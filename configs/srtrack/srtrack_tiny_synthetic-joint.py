_base_ = [
    '../_base_/models/srtrack_tiny.py',
    '../_base_/datasets/synthetic-joint.py',
    '../_base_/datasets/synthetic-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/tiny_finetune.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
# Start from a tracker that configs/one_stream/tiny_synthetic-source.py has trained:
# --cfg-options load_from=work_dirs/tiny_synthetic-source/epoch_5.pth
default_hooks = dict(logger=dict(interval=10))
