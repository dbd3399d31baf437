# The prior of got10k-prior.py, measured on all source data that the public trackers are trained on:
# LaSOT, GOT-10k, TrackingNet and COCO, in equal shares.
_base_ = './got10k-prior.py'
source_root = '{{$SRTRACK_DATA:data}}'
_base_.custom_hooks[0].source_dataloader.dataset.sources = [
    dict(type='LaSOT', data_root=f'{source_root}/LaSOT', split='train'),
    dict(type='GOT10k', data_root=f'{source_root}/GOT-10k', split='train'),
    dict(type='TrackingNet', data_root=f'{source_root}/TrackingNet', split='train'),
    dict(type='COCO', data_root=f'{source_root}/COCO', split='train'),
]
