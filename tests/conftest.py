"""Settings of every test: what a machine is slow at fails nothing."""

from hypothesis import settings

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
