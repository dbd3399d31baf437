# SRTrack over SUTrack-B384 on FE108. Table I: SR 70.8, PR 98.2.
# bash tools/dist_train.sh configs/srtrack/srtrack_sutrack-b384_fe108.py 8 \
#     --cfg-options load_from=sutrack:SUTRACK_ep0180.pth.tar
# bash tools/dist_test.sh configs/srtrack/srtrack_sutrack-b384_fe108.py CHECKPOINT 8 --out results
# Prior sensitivity is measured on GOT-10k; custom_hooks.0.cache=FILE.json keeps it for the next run.
_base_ = [
    '../_base_/models/srtrack_sutrack-b384.py',
    '../_base_/datasets/fe108.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
