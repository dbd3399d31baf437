# Table VII, FFT + S-Reg without the box head: as Table IV (e).
# FE108 SR 67.4, PR 96.5; DepthTrack Pr 64.7, Re 65.4, F 65.1; LasHeR SR 56.3, PR 70.1.
_base_ = './table4_e_prior-and-transfer.py'
