# The embedded benchmark's RGB + thermal domain: few sequences, degraded RGB.
_base_ = './pairs_64-128.py'
source = dict(type='SyntheticDataset', domain='rgbt')
train_dataloader = dict(
    dataset=dict(
        sources=[dict(source, split='train', num_sequences=12, num_frames=60)],
        pairs_per_epoch=960,
        max_gap=30,
    )
)
val_dataloader = dict(
    dataset=dict(source=dict(source, split='test', num_sequences=16, num_frames=40))
)
test_dataloader = val_dataloader
