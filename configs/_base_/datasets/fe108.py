# FE108 (Zhang et al., ICCV 2021): grey frames `img`, event pictures `evimg`, groundtruth_rect.txt.
_base_ = './pairs_128-256.py'
data_root = '{{$SRTRACK_DATA:data}}/FE108'
source = dict(
    type='SequenceDataset', name='FE108', rgb='img', aux='evimg', boxes='groundtruth_rect.txt'
)
train_dataloader = dict(dataset=dict(sources=[dict(source, data_root=f'{data_root}/train')]))
val_dataloader = dict(dataset=dict(source=dict(source, data_root=f'{data_root}/test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='fe108')
test_evaluator = val_evaluator
