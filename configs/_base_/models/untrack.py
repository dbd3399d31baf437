# UnTrack (Wu et al., CVPR 2024): prompts before every block and low-rank maps beside the attention are
# trained. SRTRACK_TRACKER is the pre-trained tracker, ostrack-b256 or droptrack-b384. Benchmarks
# name the kind of their auxiliary images; set modality ('depth', 'thermal', 'event') for other data.
_base_ = './{{$SRTRACK_TRACKER:ostrack-b256}}.py'
tracker = '{{$SRTRACK_TRACKER:ostrack-b256}}'
assert tracker in ('ostrack-b256', 'droptrack-b384'), f'UnTrack is not set up on {tracker}'
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
