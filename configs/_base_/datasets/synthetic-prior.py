# Prior sensitivity, measured once on the source domain before fine-tuning. FisherGram, because it orders
# the operations as their leading curvature does; the paper's Eq. 7 is
# dict(type='FiniteDifference', rho=1e-5, num_directions=5, top_k=10). See docs/method.md.
custom_hooks = [
    dict(
        type='PriorSensitivityHook',
        estimator=dict(type='FisherGram', top_k=10),
        source_dataloader=dict(
            batch_size=20,
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
                pairs_per_epoch=80,
                max_gap=30,
            ),
        ),
    )
]
