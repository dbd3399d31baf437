# The RGB of VisEvent alone.
_base_ = './visevent.py'
_base_.train_dataloader.dataset.sources[0].modalities = ('rgb',)
val_dataloader = dict(dataset=dict(source=dict(modalities=('rgb',))))
test_dataloader = val_dataloader
