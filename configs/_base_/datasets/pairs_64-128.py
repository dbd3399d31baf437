# Loaders of the tiny trackers: template 64, search region 128. Files that inherit this name the data.
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='PairSampler'),
    dataset=dict(
        type='PairDataset',
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
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='SequenceSampler'),
    batch_sampler=dict(type='LockstepBatchSampler'),
    dataset=dict(type='FrameDataset', pipeline=[dict(type='LoadFrame'), dict(type='PackFrame')]),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='SOTMetric', protocol='ope')
test_evaluator = val_evaluator
