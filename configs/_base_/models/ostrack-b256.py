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
