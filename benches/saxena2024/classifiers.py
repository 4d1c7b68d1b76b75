"""The trained classifiers that stand for the paper's: slim members of the families, on digits in colour."""

from __future__ import annotations

import pytest

CLASSIFIERS = ["mobilenet_v2", "resnet50", "inception_v3", "alexnet", "squeezenet"]
PRUNED = ["mobilenet_v2", "resnet50"]
"""Those that tables VIII and IX prune."""

ON_CIFAR10 = ["alexnet_cifar10"]
"""Unmeasured, with the reason, where CIFAR-10 is not there."""

every_classifier = pytest.mark.parametrize("subject", CLASSIFIERS)
both_pruned = pytest.mark.parametrize("subject", PRUNED)
