# The tiny tracker on FE108, or on any folder that looks like it.
_base_ = [
    '../_base_/models/srtrack_tiny.py',
    '../_base_/datasets/fe108.py',
    '../_base_/datasets/synthetic-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/tiny_finetune.py',
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    dataset=dict(
        pairs_per_epoch=960,
        pipeline=[
            dict(type='SampleWindows'),
            dict(type='LoadCrops', template_size=64, search_size=128),
            dict(type='JointGray', prob=0.05),
            dict(type='JointFlip', prob=0.5),
            dict(type='BrightnessJitter', strength=0.2),
            dict(type='PackPair'),
        ],
    ),
)
val_dataloader = dict(num_workers=1)
test_dataloader = val_dataloader
default_hooks = dict(logger=dict(interval=10))
