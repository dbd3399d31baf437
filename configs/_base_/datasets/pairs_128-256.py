# Loaders as OSTrack-B256 has them, on 8 GPUs. Files that inherit this name the data.
train_dataloader = dict(
    batch_size=24,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='PairSampler'),
    dataset=dict(
        type='PairDataset',
        pairs_per_epoch=80000,
        max_gap=200,
        pipeline=[
            dict(type='SampleWindows', template_factor=2, search_factor=4),
            dict(type='LoadCrops', template_size=128, search_size=256),
            dict(type='JointGray', prob=0.05),
            dict(type='JointFlip', prob=0.5),
            dict(type='BrightnessJitter', strength=0.2),
            dict(type='PackPair'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    sampler=dict(type='SequenceSampler'),
    batch_sampler=dict(type='LockstepBatchSampler'),
    dataset=dict(type='FrameDataset', pipeline=[dict(type='LoadFrame'), dict(type='PackFrame')]),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='SOTMetric', protocol='ope')
test_evaluator = val_evaluator
