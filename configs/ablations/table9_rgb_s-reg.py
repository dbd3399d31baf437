# Table IX, RGB + S-Reg: one branch of the dual tracker, on RGB alone, its box head frozen as well.
# COESOT SR 68.0, PR 80.0; DepthTrack Pr 58.8, Re 58.6, F 58.7; LasHeR SR 50.3, PR 62.6.
_base_ = '../srtrack/srtrack_{{$SRTRACK_TRACKER:ostrack-b256}}_{{$SRTRACK_DATASET:lasher}}.py'
model = dict(
    type='OneStreamTracker',
    backbone=dict(_delete_=True, **_base_.model.backbone.branch),
    frozen=[name.replace(r'(rgb|aux)\.', '') for name in _base_.model.frozen],
)
_base_.train_dataloader.dataset.sources[0].modalities = ('rgb',)
val_dataloader = dict(dataset=dict(source=dict(modalities=('rgb',))))
test_dataloader = val_dataloader
