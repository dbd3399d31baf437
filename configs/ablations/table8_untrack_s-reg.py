# UnTrack + FFT + S-Reg: the whole backbone is fine-tuned, by sensitivity.
# Table VIII: VisEvent SR 60.2, PR 76.9; DepthTrack Pr 61.9, Re 62.5, F 62.2; LasHeR SR 54.0, PR 67.4.
_base_ = [
    '../_base_/models/untrack.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
model = dict(frozen=['head', r'backbone\.(temporal_)?pos_embed'])
