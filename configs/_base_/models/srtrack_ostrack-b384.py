# OSTrack-B384 twice, with fusion blocks after blocks 2, 5, 8 and 11, and a frozen box head.
_base_ = './ostrack-b384.py'
model = dict(
    type='SRTrack',
    backbone=dict(
        _delete_=True,
        type='DualBranch',
        branch={{_base_.model.backbone}},
        fusion_indices=(2, 5, 8, 11),
    ),
    frozen=['head', r'backbone\.(rgb|aux)\.pos_embed'],
)
