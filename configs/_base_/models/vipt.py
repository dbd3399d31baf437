# ViPT-deep (Zhu et al., CVPR 2023): prompts before every block are trained. SRTRACK_TRACKER is the
# pre-trained tracker, ostrack-b256 or droptrack-b384.
_base_ = './{{$SRTRACK_TRACKER:ostrack-b256}}.py'
tracker = '{{$SRTRACK_TRACKER:ostrack-b256}}'
assert tracker in ('ostrack-b256', 'droptrack-b384'), f'ViPT is not set up on {tracker}'
model = dict(
    type='PEFTTracker',
    backbone=dict(
        type='ViPT',
        deep=True,
        prompt_dims=8,
        candidate_elimination=dict(locations=(3, 6, 9), keep_ratio=0.7),
    ),
    frozen=[r'(?!.*prompt)'],
)
