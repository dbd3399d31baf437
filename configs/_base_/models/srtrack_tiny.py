# The tiny tracker twice, with fusion blocks after blocks 1 and 3, and a frozen box head.
model = dict(
    type='SRTrack',
    backbone=dict(
        type='DualBranch',
        branch=dict(
            type='OneStreamViT',
            template_size=64,
            search_size=128,
            patch_size=16,
            embed_dims=128,
            depth=4,
            num_heads=4,
            drop_path_rate=0.0,
        ),
        fusion_indices=(1, 3),
    ),
    head=dict(
        type='CenterHead',
        in_channels=128,
        channels=64,
        loss=dict(type='TrackingLoss', cls_weight=1.0, iou_weight=2.0, l1_weight=5.0),
    ),
    frozen=['head', r'backbone\.(rgb|aux)\.pos_embed'],
    test_cfg=dict(template_factor=2.0, search_factor=4.0, size_momentum=0.9),
)
