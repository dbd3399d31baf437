# UnTrack with the pre-trained tracker frozen, trained on one data set. The paper's numbers are those
# of the joint model: table8_untrack_joint.py. Table VIII: VisEvent SR 58.9, PR 75.6; DepthTrack Pr
# 61.1, Re 60.8, F 61.0; LasHeR SR 51.3, PR 63.7. SRTRACK_DATASET and SRTRACK_TRACKER=droptrack-b384
# choose the rows of Tables I and II (see tools/ablate.py). Its authors have LasHeR, DepthTrack and
# VisEvent, on OSTrack-B256; here FE108 and COESOT follow VisEvent, and DropTrack-B384 changes the
# crops alone.
_base_ = [
    '../_base_/models/untrack.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
# Its authors' deep_rgbt.yaml (batches of 64), deep_rgbd.yaml and deep_rgbe.yaml (32): 60 epochs of
# 60,000 pairs.
batch = 64 if '{{$SRTRACK_DATASET:lasher}}' == 'lasher' else 32
train_dataloader = dict(
    batch_size=batch // 8, dataset=dict(_base_.train_pairs, pairs_per_epoch=60000)
)
auto_scale_lr = dict(base_batch_size=batch)
train_cfg = dict(max_epochs=60)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[48], gamma=0.1)]
# Candidate elimination starts as in their training:
default_hooks = dict(
    elimination_warmup=dict(type='EliminationWarmupHook', start_epoch=4, warmup_epochs=16)
)
