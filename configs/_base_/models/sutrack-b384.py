# SUTrack-B384: template 192, search region 384 (its authors' sutrack_b384.yaml).
_base_ = './sutrack-b224.py'
model = dict(backbone=dict(template_size=192, search_size=384))
crops = [_base_.crops[0], dict(type='LoadCrops', template_size=192, search_size=384)]
train_pairs = dict(pipeline=[*crops, *_base_.train_pairs.pipeline[2:]])
prior_pairs = dict(pipeline=[*crops, *_base_.prior_pairs.pipeline[2:]])
