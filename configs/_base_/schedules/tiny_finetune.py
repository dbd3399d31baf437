# Fine-tuning of the tiny tracker: 120 steps of 32 pairs.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=4, val_interval=4)
val_cfg = dict()
test_cfg = dict()

optim_wrapper = dict(
    type='SensitivityOptimWrapper',
    constructor='TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0),
    kappa=0.6,
    max_sensitivity=0.99,
    rank='exact',
    log_interval=10,
)
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[3], gamma=0.1)]
auto_scale_lr = dict(enable=False, base_batch_size=32)
