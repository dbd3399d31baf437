# DepthTrack: $SRTRACK_DATA/DepthTrack with train/ (or DepthTrackTraining/) and test/ (or sequences/).
# Targets below 10 pixels are not trained on, as in ViPT's, SDSTrack's and UnTrack's code (SRTrack's: 2).
_base_ = './pairs.py'
source = dict(type='DepthTrack', data_root='{{$SRTRACK_DATA:data}}/DepthTrack')
train_dataloader = dict(dataset=dict(sources=[dict(source, split='train')], min_size=10))
val_dataloader = dict(dataset=dict(source=dict(source, split='test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='depthtrack')
test_evaluator = val_evaluator
