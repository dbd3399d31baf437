# Table IV (b): full fine-tuning of the backbone, without sensitivities.
# FE108 SR 65.2, PR 93.5; DepthTrack Pr 61.6, Re 61.4, F 61.5; LasHeR SR 53.2, PR 65.8.
_base_ = './table4_e_prior-and-transfer.py'
optim_wrapper = dict(use_prior=False, use_transfer=False)
