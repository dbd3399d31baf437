# SUTrack-L224 on RGB and auxiliary image of LasHeR: sutrack-b384_lasher.py at another size.
# The paper has no numbers for it.
_base_ = [
    '../_base_/models/sutrack-l224.py',
    '../_base_/datasets/lasher.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
