# UnTrack (Wu et al., CVPR 2024) on OSTrack-B256: prompts before every block and low-rank maps beside the
# attention are trained. modality is 'depth', 'thermal' or 'event'.
_base_ = './ostrack-b256.py'
model = dict(
    type='PEFTTracker',
    backbone=dict(
        type='UnTrack',
        modality='thermal',
        attention_rank=4,
        embedding_rank=4,
        prompt_rank=8,
        candidate_elimination=dict(locations=(3, 6, 9), keep_ratio=0.7),
    ),
    frozen=[r'(?!.*prompt)'],
)
