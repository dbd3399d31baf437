# Two OSTrack-B256 backbones with fusion blocks after blocks 2, 5, 8 and 11, and a frozen box head.
model = dict(
    type='SRTrack',
    backbone=dict(
        type='DualBranch',
        branch=dict(
            type='OneStreamViT',
            template_size=128,
            search_size=256,
            patch_size=16,
            embed_dims=768,
            depth=12,
            num_heads=12,
            drop_path_rate=0.1,
        ),
        fusion_indices=(2, 5, 8, 11),
    ),
    head=dict(
        type='CenterHead',
        in_channels=768,
        channels=256,
        loss=dict(type='TrackingLoss', cls_weight=1.0, iou_weight=2.0, l1_weight=5.0),
    ),
    frozen=['head', r'backbone\.(rgb|aux)\.pos_embed'],
    test_cfg=dict(template_factor=2.0, search_factor=4.0),
)
