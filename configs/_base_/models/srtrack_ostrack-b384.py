# OSTrack-B384 twice, with fusion blocks after blocks 2, 5, 8 and 11, and a frozen box head.
#
# The public SRTrack code cuts windows of four times the target here, in training and in tests (its
# ostrack_rgbt_384.yaml and ostrack_rgbd_384.yaml); these rows follow it, since it is the code of the
# paper's Table III. OSTrack's authors, and so the rows of configs/one_stream, take five times and more
# jitter.
_base_ = './ostrack-b384.py'
model = dict(
    type='SRTrack',
    backbone=dict(
        _delete_=True,
        type='DualBranch',
        branch={{_base_.model.backbone}},
        fusion_indices=(2, 5, 8, 11),
    ),
    test_cfg=dict(search_factor=4.0),
    frozen=['head', r'backbone\.(rgb|aux)\.pos_embed'],
)
crops = [
    dict(
        type='SampleWindows',
        template_factor=2.0,
        search_factor=4.0,
        center_jitter=3.0,
        scale_jitter=0.25,
    ),
    dict(type='LoadCrops', template_size=192, search_size=384),
]
train_pairs = dict(pipeline=[*crops, *_base_.train_pairs.pipeline[2:]])
prior_pairs = dict(pipeline=[*crops, *_base_.prior_pairs.pipeline[2:]])
