# The RGB tracker whose weights come with the package (srtrack::tiny-rgb): 3.6 M parameters, template 64,
# search region 128, tokens by convolutions and a cost volume. Windows and boxes are exact.
model = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='OneStreamViT',
        template_size=64,
        search_size=128,
        patch_size=16,
        stem_widths=(48, 96, 192),
        embed_dims=192,
        depth=6,
        num_heads=3,
        drop_path_rate=0.0,
    ),
    head=dict(
        type='CenterHead',
        in_channels=192,
        channels=96,
        prior_score=0.02,
        loss=dict(type='TrackingLoss', cls_weight=1.0, iou_weight=2.0, l1_weight=5.0),
    ),
    test_cfg=dict(template_factor=1.6, search_factor=3.2, exact_windows=True, size_momentum=0.4),
)
crops = [
    dict(
        type='SampleWindows',
        template_factor=1.6,
        search_factor=3.2,
        center_jitter=2.0,
        scale_jitter=0.3,
        exact_windows=True,
        template_jitter=0.04,
    ),
    dict(type='LoadCrops', template_size=64, search_size=128),
]
train_pairs = dict(
    pipeline=[
        *crops,
        dict(type='JointFlip', prob=0.5),
        dict(type='BrightnessJitter', strength=0.2),
        dict(type='PackPair', exact_boxes=True),
    ]
)
prior_pairs = dict(pipeline=[*crops, dict(type='PackPair', exact_boxes=True)])
