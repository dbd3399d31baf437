# One model for RGB-T, RGB-D and RGB-E: pairs from LasHeR, DepthTrack and VisEvent by ratio. Validated
# on LasHeR; for the others name their source and protocol, or test with the configs of their own.
_base_ = './pairs.py'
data_root = '{{$SRTRACK_DATA:data}}'
train_dataloader = dict(
    dataset=dict(
        sources=[
            dict(type='LasHeR', data_root=f'{data_root}/LasHeR', split='train'),
            dict(type='DepthTrack', data_root=f'{data_root}/DepthTrack', split='train'),
            dict(type='VisEvent', data_root=f'{data_root}/VisEvent', split='train'),
        ],
        ratios=[1, 1, 1],
        min_size=5,
    )
)
val_dataloader = dict(
    dataset=dict(source=dict(type='LasHeR', data_root=f'{data_root}/LasHeR', split='test'))
)
test_dataloader = val_dataloader
val_evaluator = dict(protocol='lasher')
test_evaluator = val_evaluator
