# The embedded benchmark's three target domains in one run, by ratio; validated on RGB + thermal.
_base_ = './synthetic-rgbt.py'
train_dataloader = dict(
    dataset=dict(
        sources=[dict(_base_.train, domain=domain) for domain in ('rgbt', 'rgbd', 'rgbe')],
        ratios=[1, 1, 1],
    )
)
