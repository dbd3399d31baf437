# SDSTrack + FFT: the whole backbone is fine-tuned, by the paper's recipe.
# Table VIII: VisEvent SR 56.0, PR 72.0; DepthTrack Pr 57.8, Re 56.4, F 57.1; LasHeR SR 50.7, PR 63.8.
_base_ = [
    '../_base_/models/sdstrack.py',
    '../_base_/datasets/{{$SRTRACK_DATASET:lasher}}.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/30e_adamw_full.py',
]
train_dataloader = dict(dataset={{_base_.train_pairs}})
model = dict(frozen=['head', r'backbone\.(temporal_)?pos_embed'])
