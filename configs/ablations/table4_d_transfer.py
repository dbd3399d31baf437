# Table IV (d): transfer sensitivity alone.
# FE108 SR 66.6, PR 94.9; DepthTrack Pr 63.9, Re 64.2, F 64.1; LasHeR SR 55.1, PR 68.4.
_base_ = './table4_e_prior-and-transfer.py'
optim_wrapper = dict(use_prior=False)
