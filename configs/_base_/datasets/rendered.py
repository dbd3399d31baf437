# The rendered RGB world: 8192 scenes for training, 128 others for tests.
_base_ = './synthetic.py'
source = dict(type='RenderedDataset')
train = dict(source, split='train', num_sequences=8192, num_frames=40)
test = dict(source, split='test', num_sequences=128, num_frames=40)
train_dataloader = dict(
    prefetch_factor=8,
    dataset=dict(sources=[train], pairs_per_epoch=6400, min_size=6),
)
val_dataloader = dict(dataset=dict(source=test))
test_dataloader = val_dataloader
