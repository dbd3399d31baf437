# LasHeR (Li et al., TIP 2021): RGB `visible`, thermal `infrared`, boxes visible.txt.
# train/ and test/ hold the sequences of the two lists that ship with it.
_base_ = './pairs_128-256.py'
data_root = '{{$SRTRACK_DATA:data}}/LasHeR'
source = dict(
    type='SequenceDataset', name='LasHeR', rgb='visible', aux='infrared', boxes='visible.txt'
)
train_dataloader = dict(dataset=dict(sources=[dict(source, data_root=f'{data_root}/train')]))
val_dataloader = dict(dataset=dict(source=dict(source, data_root=f'{data_root}/test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='lasher')
test_evaluator = val_evaluator
