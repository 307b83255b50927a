"""Columns of the tables that `kubectl get` shows, one file a group of resources. Pure.

enters   objects of the stored version, wall time
leaves   `Column` rows with a cell function each
source   Kubernetes, pkg/printers/internalversion. Descriptions that begin with "@" name a field whose documentation they are
"""
