# SUTrack-B384 on one image, given twice as in its authors' code for RGB video, with one template and
# without text: 721 tokens.
_base_ = './sutrack-b384.py'
model = dict(
    backbone=dict(in_channels=3, num_templates=1, text_token=False),
    test_cfg=dict(template_update=None),
)
