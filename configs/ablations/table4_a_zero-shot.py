# Table IV (a): no tuning; test it with the pre-trained tracker as its checkpoint.
# FE108 SR 48.8, PR 75.2; DepthTrack Pr 38.2, Re 36.0, F 37.1; LasHeR SR 36.7, PR 43.5.
_base_ = './table4_e_prior-and-transfer.py'
train_cfg = train_dataloader = optim_wrapper = param_scheduler = None
