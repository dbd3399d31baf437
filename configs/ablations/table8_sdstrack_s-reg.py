# SDSTrack + FFT + S-Reg: the whole backbone is fine-tuned, by sensitivity.
# Table VIII: VisEvent SR 57.8, PR 74.8; DepthTrack Pr 59.5, Re 58.3, F 58.9; LasHeR SR 52.5, PR 65.8.
_base_ = [
    '../_base_/models/sdstrack.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
model = dict(frozen=['head', r'backbone\.(temporal_)?pos_embed'])
