# Prior sensitivity of DropTrack-B384, measured on GOT-10k's training sequences.
# FisherGram keeps the gradients of a batch's samples: 3 GB for 8 samples of a ViT-B.
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
                    dict(type='GOT10k', data_root='{{$SRTRACK_DATA:data}}/GOT-10k', split='train')
                ],
                pairs_per_epoch=320,
                pipeline=[
                    dict(
                        type='SampleWindows',
                        template_factor=2,
                        search_factor=5,
                        center_jitter=4.5,
                        scale_jitter=0.5,
                    ),
                    dict(type='LoadCrops', template_size=192, search_size=384),
                    dict(type='PackPair'),
                ],
            ),
        ),
    )
]
