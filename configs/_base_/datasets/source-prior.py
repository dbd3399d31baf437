# Prior sensitivity of an RGB tracker at 128/256 pixels, measured on the source data that the public
# trackers are trained on: LaSOT, GOT-10k, TrackingNet and COCO, in equal shares.
# FisherGram keeps the gradients of a batch's samples: 3 GB for 8 samples of a ViT-B.
source_root = '{{$SRTRACK_DATA:data}}'
custom_hooks = [
    dict(
        type='PriorSensitivityHook',
        estimator=dict(type='FisherGram', top_k=10),
        source_dataloader=dict(
            batch_size=8,
            num_workers=8,
            dataset=dict(
                type='PairDataset',
                sources=[
                    dict(type='LaSOT', data_root=f'{source_root}/LaSOT', split='train'),
                    dict(type='GOT10k', data_root=f'{source_root}/GOT-10k', split='train'),
                    dict(type='TrackingNet', data_root=f'{source_root}/TrackingNet', split='train'),
                    dict(type='COCO', data_root=f'{source_root}/COCO', split='train'),
                ],
                pairs_per_epoch=320,
                pipeline=[
                    dict(type='SampleWindows', template_factor=2, search_factor=4),
                    dict(type='LoadCrops', template_size=128, search_size=256),
                    dict(type='PackPair'),
                ],
            ),
        ),
    )
]
