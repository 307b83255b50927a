"""Expressions in Kubernetes' API: which functions and variables there are in which place, and which types they have.

enters   texts of expressions of rules, policies and conditions; schemas
leaves   compiled programs (cybernetes.cel), their estimated costs
holds    what compiles here compiles upstream
fails    cybernetes.cel.errors

source  Kubernetes documentation "Common Expression Language in Kubernetes"
"""
