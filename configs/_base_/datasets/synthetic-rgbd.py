# The embedded benchmark's RGB + depth domain: few sequences, degraded RGB.
_base_ = './synthetic.py'
source = dict(type='SyntheticDataset', domain='rgbd')
train = dict(source, split='train', num_sequences=12, num_frames=60)
test = dict(source, split='test', num_sequences=16, num_frames=40)
train_dataloader = dict(dataset=dict(sources=[train]))
val_dataloader = dict(dataset=dict(source=test))
test_dataloader = val_dataloader
