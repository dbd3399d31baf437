# FE108: $SRTRACK_DATA/FE108 with train/ and test/; frames `img`, event images `evimg`.
_base_ = './pairs.py'
source = dict(type='FE108', data_root='{{$SRTRACK_DATA:data}}/FE108')
train_dataloader = dict(dataset=dict(sources=[dict(source, split='train')]))
val_dataloader = dict(dataset=dict(source=dict(source, split='test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='fe108')
test_evaluator = val_evaluator
