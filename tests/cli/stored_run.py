"""Stored runs made by hand, as `pytest benches` would store them."""

import numpy as np

from compress.artifact import sha256_of
from compress.measure.classification import Outcomes


def document(status="green", verdicts=(), *, scale="embedded", selection="benches", complete=True, cells=None, **more):
    """Return a run's JSON; `more` are further entries of its ``compress``, such as ``fingerprint``."""
    compress = {
        "schema": 1,
        "status": status,
        "scale": scale,
        "selection": selection,
        "complete": complete,
        "cells": {"tiny: int8": {"values": {"raw_bytes": 1}}} if cells is None else cells,
        "verdicts": [
            {"sources": [source], "verdict": verdict, "where": where, "reason": "", "measured": "4", "bound": ">= 5"}
            for source, verdict, where in verdicts
        ],
        **more,
    }
    stamp = {"datetime": "2026-11-22T00:11:22.3+00:00", "commit_info": {"id": "0123456789ab"}}
    return {"benchmarks": [], "compress": compress, **stamp}


def cell(content=b"model", *, right=90, n=100, labels="labels", runtime="litert", **values):
    """Return a stored cell: a file of this content that answered the first `right` of `n` samples rightly."""
    outcomes = Outcomes(
        correct=np.arange(n) < right,
        noise=np.full(n, 1e-4, np.float32),
        signal=np.ones(n, np.float32),
        samples=labels,
    )
    return {
        "sha256": sha256_of(content),
        "runtime": runtime,
        "values": {"raw_bytes": len(content), "accuracy": right / n, **values},
        "outcomes": outcomes.to_json(),
        "scores": None,
        "versions": {},
    }
