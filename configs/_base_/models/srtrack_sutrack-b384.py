# SUTrack-B384 twice, with four fusion blocks and a frozen box head. The paper counts four but does not
# say where; here they are spread over the 24 blocks in the same way as over the 12 blocks of a ViT-B.
_base_ = './sutrack-b384_rgb.py'
model = dict(
    type='SRTrack',
    backbone=dict(
        _delete_=True,
        type='DualBranch',
        branch={{_base_.model.backbone}},
        fusion_indices=(5, 11, 17, 23),
    ),
    frozen=['head', r'backbone\.(rgb|aux)\.(pos_embed|\w+_token)'],
)
