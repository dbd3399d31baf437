# SDSTrack (Hou et al., CVPR 2024): adapters, the auxiliary patch embedding and the last norm are trained
# with self-distillation. SRTRACK_TRACKER is the pre-trained tracker, ostrack-b256 or droptrack-b384.
_base_ = './{{$SRTRACK_TRACKER:ostrack-b256}}.py'
tracker = '{{$SRTRACK_TRACKER:ostrack-b256}}'
assert tracker in ('ostrack-b256', 'droptrack-b384'), f'SDSTrack is not set up on {tracker}'
model = dict(
    type='SelfDistillationTracker',
    backbone=dict(
        type='SDSTrack',
        fusion_indices=(3, 6, 9, 11),
        adapter_ratio=0.25,
        adapter_scale=0.5,
        mask_ratio=0.3,
        candidate_elimination=dict(locations=(3, 6, 9), keep_ratio=0.7),
    ),
    clean_weight=0.6,
    masked_weight=0.2,
    distance_weight=0.1,
    frozen=['head', r'backbone\.(patch_embed\.|(temporal_)?pos_embed|blocks\.)'],
)
