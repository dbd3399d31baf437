# Training crops as OSTrack-B384 has them: template 192, search region 384. A config takes them by
# train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}})).
train_pipeline = [
    dict(
        type='SampleWindows',
        template_factor=2,
        search_factor=4,
        center_jitter=3.0,
        scale_jitter=0.25,
    ),
    dict(type='LoadCrops', template_size=192, search_size=384),
    dict(type='JointGray', prob=0.05),
    dict(type='JointFlip', prob=0.5),
    dict(type='BrightnessJitter', strength=0.2),
    dict(type='PackPair'),
]
