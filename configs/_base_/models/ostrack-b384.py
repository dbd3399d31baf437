# OSTrack-B384: template 192, search region 384. Its authors train and test with a search window of five
# times the target and more jitter than at 256 pixels (their vitb_384_mae_ce_32x4_ep300.yaml).
_base_ = './ostrack-b256.py'
model = dict(backbone=dict(template_size=192, search_size=384), test_cfg=dict(search_factor=5.0))
crops = [
    dict(
        type='SampleWindows',
        template_factor=2.0,
        search_factor=5.0,
        center_jitter=4.5,
        scale_jitter=0.5,
    ),
    dict(type='LoadCrops', template_size=192, search_size=384),
]
train_pairs = dict(pipeline=[*crops, *_base_.train_pairs.pipeline[2:]])
prior_pairs = dict(pipeline=[*crops, *_base_.prior_pairs.pipeline[2:]])
