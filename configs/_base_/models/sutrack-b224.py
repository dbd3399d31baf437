# SUTrack-B224 (Chen et al., AAAI 2025): Fast-iTPN-B on RGB and auxiliary image as one of six channels,
# with two templates, a class token and a text token.
model = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='FastITPN',
        template_size=112,
        search_size=224,
        in_channels=6,
        patch_channels=6,
        embed_dims=512,
        stem_depths=(3, 3),
        depth=24,
        num_heads=8,
        mlp_ratio=3.0,
        drop_path_rate=0.1,
        init_values=0.1,
        num_templates=2,
        text_token=True,
    ),
    head=dict(
        type='CenterHead',
        in_channels=512,
        channels=256,
        loss=dict(type='TrackingLoss', cls_weight=1.0, iou_weight=2.0, l1_weight=5.0),
    ),
    test_cfg=dict(
        template_factor=2.0,
        search_factor=4.0,
        template_update=dict(interval=25, threshold=0.7),
    ),
)
# Pairs as its authors cut them (their sutrack_b224.yaml): frames up to 400 apart.
crops = [
    dict(
        type='SampleWindows',
        template_factor=2.0,
        search_factor=4.0,
        center_jitter=3.5,
        scale_jitter=0.5,
    ),
    dict(type='LoadCrops', template_size=112, search_size=224),
]
train_pairs = dict(
    max_gap=400,
    pipeline=[
        *crops,
        dict(type='JointGray', prob=0.05),
        dict(type='JointFlip', prob=0.5),
        dict(type='BrightnessJitter', strength=0.2),
        dict(type='PackPair', template_box=True),
    ],
)
prior_pairs = dict(max_gap=400, pipeline=[*crops, dict(type='PackPair', template_box=True)])
