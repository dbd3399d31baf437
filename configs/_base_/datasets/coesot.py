# COESOT: $SRTRACK_DATA/COESOT with train/ and test/ (or 'Training Subset/', 'Testing Subset/').
_base_ = './pairs.py'
source = dict(type='COESOT', data_root='{{$SRTRACK_DATA:data}}/COESOT')
train_dataloader = dict(dataset=dict(sources=[dict(source, split='train')]))
val_dataloader = dict(dataset=dict(source=dict(source, split='test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='coesot')
test_evaluator = val_evaluator
