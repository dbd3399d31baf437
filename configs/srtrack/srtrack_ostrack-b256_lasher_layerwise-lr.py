# As srtrack_ostrack-b256_lasher.py, with the learning rates of the public SRTrack code.
_base_ = [
    '../_base_/models/srtrack_ostrack-b256.py',
    '../_base_/datasets/lasher.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_layerwise-lr.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
