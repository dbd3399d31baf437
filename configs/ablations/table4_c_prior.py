# Table IV (c): prior sensitivity alone.
# FE108 SR 66.8, PR 95.4; DepthTrack Pr 64.1, Re 64.5, F 64.3; LasHeR SR 55.6, PR 69.0.
_base_ = './table4_e_prior-and-transfer.py'
optim_wrapper = dict(use_transfer=False)
