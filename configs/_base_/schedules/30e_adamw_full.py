# Full fine-tuning by the paper's recipe: plain AdamW, no sensitivities.
_base_ = './30e_adamw.py'
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    constructor='TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1),
)
