# Prior sensitivity of the pre-trained tracker, measured on GOT-10k's training sequences. The tracker
# says how they are cut: see _base_/models/ostrack-b256.py. A batch of B samples has B eigenvalues: 20
# are twice the K = 10 that are averaged, and as many as Table V's largest K. FisherGram keeps their
# gradients: 7 GB for a ViT-B.
custom_hooks = [
    dict(
        type='PriorSensitivityHook',
        estimator=dict(type='FisherGram', top_k=10),
        source_dataloader=dict(
            batch_size=20,
            num_workers=8,
            dataset=dict(
                type='PairDataset',
                sources=[
                    dict(type='GOT10k', data_root='{{$SRTRACK_DATA:data}}/GOT-10k', split='train')
                ],
                pairs_per_epoch=320,
            ),
        ),
    )
]
