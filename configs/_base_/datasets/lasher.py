# LasHeR: $SRTRACK_DATA/LasHeR with train/ and test/, or trainingsetList.txt and testingsetList.txt.
_base_ = './pairs.py'
source = dict(type='LasHeR', data_root='{{$SRTRACK_DATA:data}}/LasHeR')
train_dataloader = dict(dataset=dict(sources=[dict(source, split='train')]))
val_dataloader = dict(dataset=dict(source=dict(source, split='test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='lasher')
test_evaluator = val_evaluator
