# VisEvent: $SRTRACK_DATA/VisEvent with train/ and test/; frames `vis_imgs`, events `event_imgs`.
# Targets below 5 pixels are not trained on, as in ViPT's, SDSTrack's and UnTrack's code (SRTrack's: 1).
_base_ = './pairs.py'
source = dict(type='VisEvent', data_root='{{$SRTRACK_DATA:data}}/VisEvent')
train_dataloader = dict(dataset=dict(sources=[dict(source, split='train')], min_size=5))
val_dataloader = dict(dataset=dict(source=dict(source, split='test')))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='visevent')
test_evaluator = val_evaluator
