# Loaders for training pairs on 8 GPUs (8 x 24 = 192, 80,000 an epoch: the paper's) and for test frames.
# Files that inherit this name the data; how pairs are cut stands with the tracker, in _base_/models.
train_dataloader = dict(
    batch_size=24,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='PairSampler'),
    dataset=dict(type='PairDataset', pairs_per_epoch=80000),
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
