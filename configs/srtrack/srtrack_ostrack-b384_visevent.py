# SRTrack over OSTrack-B384 on VisEvent. Table III: SR 62.6, PR 79.4.
# bash tools/dist_train.sh configs/srtrack/srtrack_ostrack-b384_visevent.py 8 \
#     --cfg-options load_from=ostrack:OSTrack_ep0300.pth.tar
# bash tools/dist_test.sh configs/srtrack/srtrack_ostrack-b384_visevent.py CHECKPOINT 8 --out results
# Prior sensitivity is measured on GOT-10k; custom_hooks.0.cache=FILE.json keeps it for the next run.
_base_ = [
    '../_base_/models/srtrack_ostrack-b384.py',
    '../_base_/datasets/visevent.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
