# VisEvent: $SRTRACK_DATA/VisEvent with train/ and test/; frames `vis_imgs`, events `event_imgs`.
# Targets below 5 pixels are not trained on, as the public RGB-E trackers have it.
_base_ = './pairs_128-256.py'
source = dict(type='VisEvent', data_root='{{$SRTRACK_DATA:data}}/VisEvent')
train_dataloader = dict(dataset=dict(sources=[dict(source, split='train')], min_size=5))
val_dataloader = dict(dataset=dict(source=dict(source, split='test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='visevent')
test_evaluator = val_evaluator
