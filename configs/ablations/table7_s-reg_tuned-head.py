# Table VII, FFT + S-Reg with the box head, whose sensitivities are measured as well.
# FE108 SR 66.2, PR 95.3; DepthTrack Pr 62.6, Re 63.4, F 63.0; LasHeR SR 54.4, PR 67.7.
_base_ = './table4_e_prior-and-transfer.py'
_base_.model.frozen.remove('head')
