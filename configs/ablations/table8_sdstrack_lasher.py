# SDSTrack as published: the pre-trained tracker is frozen.
# Table VIII: SR 53.1, PR 66.5 on LasHeR.
# bash tools/dist_train.sh configs/ablations/table8_sdstrack_lasher.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
_base_ = [
    '../_base_/models/sdstrack_ostrack-b256.py',
    '../_base_/datasets/lasher.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
# Its authors' epochs and learning rates:
train_cfg = dict(max_epochs=40)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.norm': dict(lr_mult=0.1)}))
param_scheduler = []
# Candidate elimination sets in as in their training:
default_hooks = dict(
    elimination_warmup=dict(type='EliminationWarmupHook', start_epoch=4, warmup_epochs=16)
)
