# Table V, K = 2.
# FE108 SR 66.6, PR 95.2; DepthTrack Pr 64.0, Re 64.4, F 64.2; LasHeR SR 55.4, PR 68.8.
_base_ = './table5_k-20.py'
_base_.custom_hooks[0].estimator.top_k = 2
