# Table V, K = 20: the leading eigenvalues that prior sensitivity is the mean of; it acts alone.
# FE108 SR 66.4, PR 95.2; DepthTrack Pr 64.1, Re 64.4, F 64.2; LasHeR SR 55.4, PR 68.9.
# FisherGram has no more eigenvalues than a batch has samples: 8 GB for 20 gradients of a ViT-B.
_base_ = './table4_c_prior.py'
_base_.custom_hooks[0].source_dataloader.batch_size = 20
_base_.custom_hooks[0].estimator.top_k = 20
