# Table VII, FFT with the box head.
# FE108 SR 63.8, PR 91.0; DepthTrack Pr 59.4, Re 58.7, F 59.0; LasHeR SR 51.5, PR 64.4.
_base_ = './table4_b_full-fine-tuning.py'
_base_.model.frozen.remove('head')
