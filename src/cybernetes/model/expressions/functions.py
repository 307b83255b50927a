"""All functions that expressions of the API may call."""

from __future__ import annotations

from cybernetes.cel import standard
from cybernetes.cel.functions import Functions
from cybernetes.cel.library import lists, math, network, optionals, semver, strings, texts
from cybernetes.model.expressions import authorization, named_formats, quantities

FUNCTIONS = Functions(
    [
        *standard.overloads(),
        *optionals.overloads(),
        *strings.overloads(),
        *lists.overloads(),
        *math.overloads(),
        *texts.overloads(),
        *network.overloads(),
        *semver.overloads(),
        *quantities.overloads(),
        *named_formats.overloads(),
        *authorization.overloads(),
    ]
)
