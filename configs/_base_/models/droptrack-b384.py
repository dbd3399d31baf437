# DropTrack-B384 (Wu et al., CVPR 2023): OSTrack on DropMAE, with temporal embeddings and a search
# window of five times the target.
_base_ = './ostrack-b384.py'
model = dict(backbone=dict(temporal_embed=True), test_cfg=dict(search_factor=5.0))
