# A tracker for laptops and tests, template 64, search region 128: 0.9 M parameters in the backbone and
# 0.3 M in the head; the dual tracker that it becomes has 2.5 M.
model = dict(
    type='OneStreamTracker',
    backbone=dict(
        type='OneStreamViT',
        template_size=64,
        search_size=128,
        patch_size=16,
        embed_dims=128,
        depth=4,
        num_heads=4,
        drop_path_rate=0.0,
    ),
    head=dict(
        type='CenterHead',
        in_channels=128,
        channels=64,
        loss=dict(type='TrackingLoss', cls_weight=1.0, iou_weight=2.0, l1_weight=5.0),
    ),
    test_cfg=dict(template_factor=2.0, search_factor=4.0),
)
crops = [
    dict(type='SampleWindows'),
    dict(type='LoadCrops', template_size=64, search_size=128),
]
train_pairs = dict(
    pipeline=[
        *crops,
        dict(type='JointGray', prob=0.05),
        dict(type='JointFlip', prob=0.5),
        dict(type='BrightnessJitter', strength=0.2),
        dict(type='PackPair'),
    ]
)
prior_pairs = dict(pipeline=[*crops, dict(type='PackPair')])
