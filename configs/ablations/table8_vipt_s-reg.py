# ViPT + FFT + S-Reg: the whole backbone is fine-tuned, by sensitivity.
# Table VIII: VisEvent SR 61.3, PR 77.8; DepthTrack Pr 61.9, Re 61.4, F 61.6; LasHeR SR 54.9, PR 68.4.
_base_ = [
    '../_base_/models/vipt.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/datasets/got10k-prior.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
_base_.custom_hooks[0].source_dataloader.dataset.update(_base_.prior_pairs)
model = dict(frozen=['head', r'backbone\.(temporal_)?pos_embed'])
