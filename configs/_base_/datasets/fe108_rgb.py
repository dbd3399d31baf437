# The RGB of FE108 alone.
_base_ = './fe108.py'
_base_.train_dataloader.dataset.sources[0].modalities = ('rgb',)
val_dataloader = dict(dataset=dict(source=dict(modalities=('rgb',))))
test_dataloader = val_dataloader
