"""Your own model file and your own data as a subject, without a line of Python.

`own_subject` makes a `compress.subject.Subject` of a model file and a text that says where its data is; what it is
given is checked before anything runs. `propose_recipes` says which recipes fit it.
"""

from compress.own.data import DataOptions
from compress.own.recipes import propose_recipes
from compress.own.signature import Signature, read_signature
from compress.own.subject import own_subject

__all__ = ["DataOptions", "Signature", "own_subject", "propose_recipes", "read_signature"]
