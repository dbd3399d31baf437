# SRTrack over SUTrack-L224 on FE108: srtrack_sutrack-b384_fe108.py at another size.
# The paper has no numbers for it.
_base_ = [
    '../_base_/models/srtrack_sutrack-l224.py',
    '../_base_/datasets/fe108.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
