# SUTrack-B224 twice; see srtrack_sutrack-b384.py.
_base_ = './sutrack-b224.py'
model = dict(
    type='SRTrack',
    backbone=dict(
        _delete_=True,
        type='DualBranch',
        branch=dict(_base_.model.backbone, in_channels=3, num_templates=1, text_token=False),
        fusion_indices=(5, 11, 17, 23),
    ),
    test_cfg=dict(template_update=None),
    frozen=['head', r'backbone\.(rgb|aux)\.(pos_embed|\w+_token)'],
)
