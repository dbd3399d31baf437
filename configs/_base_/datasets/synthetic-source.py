# The embedded benchmark's source domain: RGB, many appearances, good light.
_base_ = './synthetic.py'
source = dict(type='SyntheticDataset', domain='source')
train = dict(source, split='train', num_sequences=512, num_frames=60)
test = dict(source, split='test', num_sequences=16, num_frames=40)
train_dataloader = dict(dataset=dict(sources=[train], pairs_per_epoch=8000))
val_dataloader = dict(dataset=dict(source=test))
test_dataloader = val_dataloader
