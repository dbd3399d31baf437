# Loaders of the embedded benchmark, for the tiny trackers. Files that inherit this name the domain.
_base_ = './pairs.py'
train_dataloader = dict(batch_size=32, num_workers=1, dataset=dict(pairs_per_epoch=960, max_gap=30))
val_dataloader = dict(num_workers=1)
test_dataloader = val_dataloader
