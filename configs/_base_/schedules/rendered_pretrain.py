# Pre-training on the rendered world: 22 epochs of 200 steps in bfloat16, the last 8 with a falling rate.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=22, val_interval=22)
val_cfg = dict()
test_cfg = dict()

optim_wrapper = dict(
    type='AmpSensitivityOptimWrapper',
    use_prior=False,
    use_transfer=False,
    constructor='TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=6e-4, weight_decay=0.02),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=200),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=False, begin=2800, end=4400),
]
# With another total batch size B, auto_scale_lr.enable=True multiplies the learning rate by B / 32.
auto_scale_lr = dict(enable=False, base_batch_size=32)
