# ViPT + FFT: the whole backbone is fine-tuned, by the paper's recipe.
# Table VIII: VisEvent SR 57.5, PR 74.0; DepthTrack Pr 58.2, Re 57.4, F 57.8; LasHeR SR 50.9, PR 63.8.
_base_ = [
    '../_base_/models/vipt.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
model = dict(frozen=['head', r'backbone\.(temporal_)?pos_embed'])
