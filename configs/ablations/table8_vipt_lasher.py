# ViPT as published: the pre-trained tracker is frozen.
# Table VIII: SR 52.5, PR 65.1 on LasHeR.
# bash tools/dist_train.sh configs/ablations/table8_vipt_lasher.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
_base_ = [
    '../_base_/models/vipt_ostrack-b256.py',
    '../_base_/datasets/lasher.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
# Its authors' epochs and learning rates:
train_cfg = dict(max_epochs=60)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[48], gamma=0.1)]
# Candidate elimination sets in as in their training:
default_hooks = dict(
    elimination_warmup=dict(type='EliminationWarmupHook', start_epoch=4, warmup_epochs=16)
)
