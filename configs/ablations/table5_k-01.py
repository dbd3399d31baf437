# Table V, K = 1.
# FE108 SR 66.5, PR 95.0; DepthTrack Pr 63.9, Re 64.3, F 64.1; LasHeR SR 55.2, PR 68.7.
_base_ = './table5_k-20.py'
_base_.custom_hooks[0].estimator.top_k = 1
