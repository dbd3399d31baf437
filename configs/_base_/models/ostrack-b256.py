# OSTrack-B256 (Ye et al., ECCV 2022): ViT-B/16, template 128, search region 256.
model = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='OneStreamViT',
        template_size=128,
        search_size=256,
        patch_size=16,
        embed_dims=768,
        depth=12,
        num_heads=12,
        drop_path_rate=0.1,
    ),
    head=dict(
        type='CenterHead',
        in_channels=768,
        channels=256,
        loss=dict(type='TrackingLoss', cls_weight=1.0, iou_weight=2.0, l1_weight=5.0),
    ),
    test_cfg=dict(template_factor=2.0, search_factor=4.0),
)
# Pairs as its authors cut them (their vitb_256_mae_ce_32x4_ep300.yaml). A config takes these by
#     train_dataloader = dict(dataset={{_base_.train_pairs}})
# and, for the prior pass, without augmentation, by
#     _base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
crops = [
    dict(
        type='SampleWindows',
        template_factor=2.0,
        search_factor=4.0,
        center_jitter=3.0,
        scale_jitter=0.25,
    ),
    dict(type='LoadCrops', template_size=128, search_size=256),
]
train_pairs = dict(
    max_gap=200,
    pipeline=[
        *crops,
        dict(type='JointGray', prob=0.05),
        dict(type='JointFlip', prob=0.5),
        dict(type='BrightnessJitter', strength=0.2),
        dict(type='PackPair'),
    ],
)
prior_pairs = dict(max_gap=200, pipeline=[*crops, dict(type='PackPair')])
