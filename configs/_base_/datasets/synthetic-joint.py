# The embedded benchmark's three target domains in one run, by ratio; validated on RGB + thermal.
_base_ = './pairs_64-128.py'
train = dict(type='SyntheticDataset', split='train', num_sequences=12, num_frames=60)
train_dataloader = dict(
    dataset=dict(
        sources=[
            dict(train, domain='rgbt'),
            dict(train, domain='rgbd'),
            dict(train, domain='rgbe'),
        ],
        ratios=[1, 1, 1],
        pairs_per_epoch=960,
        max_gap=30,
    )
)
val_dataloader = dict(
    dataset=dict(
        source=dict(
            type='SyntheticDataset', domain='rgbt', split='test', num_sequences=16, num_frames=40
        )
    )
)
test_dataloader = val_dataloader
