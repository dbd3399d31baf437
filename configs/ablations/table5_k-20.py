# Table V, K = 20: the leading eigenvalues that prior sensitivity is the mean of; it acts alone.
# FE108 SR 66.4, PR 95.2; DepthTrack Pr 64.1, Re 64.4, F 64.2; LasHeR SR 55.4, PR 68.9.
# Batches hold 20 samples in all rows: fewer would have fewer eigenvalues.
_base_ = './table4_c_prior.py'
_base_.custom_hooks[0].estimator.top_k = 20
