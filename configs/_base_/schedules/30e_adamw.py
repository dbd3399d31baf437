# From the paper: 30 epochs (of 80,000 pairs, in batches of 192 over 8 GPUs), AdamW, learning rate and
# weight decay 1e-4, kappa 0.6, sensitivities up to 0.99. From the public SRTrack code: clipping at
# 0.1. Ours: the step after epoch 24, at the 4/5 of the training that comments in that code's yamls
# name. Its own numbers are another learning rate for each part (30e_adamw_layerwise-lr.py), 16 to 40
# epochs, and a step every 48.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=30, val_interval=5)
val_cfg = dict()
test_cfg = dict()

optim_wrapper = dict(
    type='SensitivityOptimWrapper',
    constructor='TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1),
    kappa=0.6,
    max_sensitivity=0.99,
    rank='histogram',
)
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[24], gamma=0.1)]
# With another total batch size B, auto_scale_lr.enable=True multiplies the learning rate by B / 192.
auto_scale_lr = dict(enable=False, base_batch_size=192)
