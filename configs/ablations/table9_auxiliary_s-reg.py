# Table IX, Auxiliary + S-Reg: thermal, depth or event images alone.
# COESOT SR 60.5, PR 73.7; DepthTrack Pr 52.9, Re 51.3, F 52.1; LasHeR SR 45.9, PR 57.8.
_base_ = './table9_rgb_s-reg.py'
_base_.train_dataloader.dataset.sources[0].modalities = ('aux',)
val_dataloader = dict(dataset=dict(source=dict(modalities=('aux',))))
test_dataloader = val_dataloader
