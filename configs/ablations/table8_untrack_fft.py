# UnTrack + FFT: the whole backbone is fine-tuned, by the paper's recipe.
# Table VIII: VisEvent SR 56.6, PR 73.1; DepthTrack Pr 58.2, Re 56.8, F 57.5; LasHeR SR 48.1, PR 60.2.
_base_ = [
    '../_base_/models/untrack.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
model = dict(frozen=['head', r'backbone\.(temporal_)?pos_embed'])
