"""How much expressions may cost, and what is said of those that cost more.

source  k8s.io/apiserver CEL, limits; k8s.io/apiextensions-apiserver, validation of definitions
"""

from __future__ import annotations

# Of a rule, estimated, with how often it is asked; of all rules of a definition.
RULE_LIMIT, DEFINITION_LIMIT = 10_000_000, 100_000_000
# Of a selector of devices, estimated.
SELECTOR_LIMIT = 1_000_000
# Of all expressions that run for one object; of the conditions of one policy or webhook.
RUNTIME_BUDGET, CONDITIONS_BUDGET = 10_000_000, 2_500_000
# Of a message that an expression made.
MESSAGE_MAX_BYTES = 5 * 1024
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
_ADVICE = "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared"
# More than a factor of this says nothing.
_FACTOR_MAX = 100.0


def exceeded(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    if factor > _FACTOR_MAX:
        shown = "more than 100x"
    else:
        # A factor of 1.0 would say that nothing is wrong.
        shown = f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {shown} ({_ADVICE})"
