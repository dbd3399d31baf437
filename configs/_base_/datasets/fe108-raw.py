# FE108 from its recordings: events.aedat4 is drawn on the fly, without event images on disk.
# pair.txt gives the first frame of each sequence in its recording. SRTRACK_EVENTS names the
# representation. The cache takes 13 bytes per event; without it each pair decodes a whole recording.
_base_ = './pairs.py'
source = dict(
    type='FE108',
    data_root='{{$SRTRACK_DATA:data}}/FE108',
    aux='events.aedat4',
    aux_stream=dict(
        type='EventStream',
        representation='{{$SRTRACK_EVENTS:color_polarity}}',
        first_frame='../../pair.txt',
        cache_dir='work_dirs/event_cache',
    ),
)
train_dataloader = dict(dataset=dict(sources=[dict(source, split='train')]))
val_dataloader = dict(dataset=dict(source=dict(source, split='test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='fe108')
test_evaluator = val_evaluator
