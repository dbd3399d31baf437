# ViPT-deep (Zhu et al., CVPR 2023) on OSTrack-B256: prompts before every block are trained.
_base_ = './ostrack-b256.py'
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
