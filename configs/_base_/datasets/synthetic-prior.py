# Prior sensitivity, measured once on the source domain before fine-tuning.
custom_hooks = [
    dict(
        type='PriorSensitivityHook',
        estimator=dict(type='FiniteDifference', rho=1e-5, num_directions=5, top_k=10),
        source_dataloader=dict(
            batch_size=8,
            num_workers=0,
            dataset=dict(
                type='PairDataset',
                sources=[
                    dict(
                        type='SyntheticDataset',
                        domain='source',
                        split='train',
                        num_sequences=512,
                        num_frames=60,
                    )
                ],
                pairs_per_epoch=16,
                max_gap=30,
                pipeline=[
                    dict(type='SampleWindows', scale_jitter=0.5),
                    dict(type='LoadCrops', template_size=64, search_size=128),
                    dict(type='PackPair'),
                ],
            ),
        ),
    )
]
