# The shipped RGB tracker twice, with fusion blocks after blocks 1, 3 and 5, and a frozen box head.
_base_ = './tiny-rgb.py'
model = dict(
    type='SRTrack',
    backbone=dict(
        _delete_=True,
        type='DualBranch',
        branch={{_base_.model.backbone}},
        fusion_indices=(1, 3, 5),
    ),
    frozen=['head', r'backbone\.(rgb|aux)\.pos_embed'],
)
