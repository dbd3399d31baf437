# SDSTrack as published: the pre-trained tracker is frozen.
# Table VIII: VisEvent SR 59.7, PR 76.7; DepthTrack Pr 61.9, Re 60.9, F 61.4; LasHeR SR 53.1, PR 66.5.
# SRTRACK_DATASET and SRTRACK_TRACKER=droptrack-b384 choose the rows of Tables I and II (see
# tools/ablate.py). Its authors have LasHeR, DepthTrack and VisEvent, on OSTrack-B256; here FE108 and
# COESOT follow VisEvent, and DropTrack-B384 changes the crops alone.
_base_ = [
    '../_base_/models/sdstrack.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
# Its authors' cvpr2024_rgbt.yaml, cvpr2024_rgbd.yaml and cvpr2024_rgbe.yaml: epochs of 60,000 pairs, 16
# each on 4 GPUs, without a step of the learning rate.
train_dataloader = dict(batch_size=8, dataset=dict(_base_.train_pairs, pairs_per_epoch=60000))
epochs = dict(lasher=40, depthtrack=15).get('{{$SRTRACK_DATASET:lasher}}', 50)
lr = dict(depthtrack=5e-5).get('{{$SRTRACK_DATASET:lasher}}', 1e-4)
auto_scale_lr = dict(base_batch_size=64)
train_cfg = dict(max_epochs=epochs)
optim_wrapper = dict(
    optimizer=dict(lr=lr), paramwise_cfg=dict(custom_keys={'backbone.norm': dict(lr_mult=0.1)})
)
param_scheduler = []
# Candidate elimination starts as in their training:
default_hooks = dict(
    elimination_warmup=dict(type='EliminationWarmupHook', start_epoch=4, warmup_epochs=16)
)
