# DropTrack-B384 (Wu et al., CVPR 2023): OSTrack-B384 on DropMAE, with temporal embeddings. Its authors
# cut pairs as OSTrack-B384's do (their vitb_384_mae_ce_32x4_ep300.yaml).
_base_ = './ostrack-b384.py'
model = dict(backbone=dict(temporal_embed=True))
