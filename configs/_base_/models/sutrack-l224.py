# SUTrack-L224: Fast-iTPN-L.
_base_ = './sutrack-b224.py'
model = dict(
    backbone=dict(embed_dims=768, stem_depths=(2, 2), depth=40, num_heads=12),
    head=dict(in_channels=768),
)
