# Table VII, FFT without the box head: as Table IV (b).
# FE108 SR 65.2, PR 93.5; DepthTrack Pr 61.6, Re 61.4, F 61.5; LasHeR SR 53.2, PR 65.8.
_base_ = './table4_b_full-fine-tuning.py'
