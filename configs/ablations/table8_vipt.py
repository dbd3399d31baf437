# ViPT as published: the pre-trained tracker is frozen.
# Table VIII: VisEvent SR 59.2, PR 75.8; DepthTrack Pr 59.2, Re 59.6, F 59.4; LasHeR SR 52.5, PR 65.1.
# SRTRACK_DATASET and SRTRACK_TRACKER=droptrack-b384 choose the rows of Tables I and II (see
# tools/ablate.py). Its authors have LasHeR, DepthTrack and VisEvent, on OSTrack-B256; here FE108 and
# COESOT follow VisEvent, and DropTrack-B384 changes the crops alone.
_base_ = [
    '../_base_/models/vipt.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
# Its authors' deep_rgbt.yaml, deep_rgbd.yaml and deep_rgbe.yaml, which agree: 60 epochs of 60,000 pairs,
# 32 each on 2 GPUs.
train_dataloader = dict(batch_size=8, dataset=dict(_base_.train_pairs, pairs_per_epoch=60000))
auto_scale_lr = dict(base_batch_size=64)
train_cfg = dict(max_epochs=60)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[48], gamma=0.1)]
# Candidate elimination starts as in their training:
default_hooks = dict(
    elimination_warmup=dict(type='EliminationWarmupHook', start_epoch=4, warmup_epochs=16)
)
