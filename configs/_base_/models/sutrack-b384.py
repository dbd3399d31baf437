# SUTrack-B384: template 192, search region 384.
_base_ = './sutrack-b224.py'
model = dict(backbone=dict(template_size=192, search_size=384))
