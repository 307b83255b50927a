"""One file a plugin: each marks nodes that are not possible and scores those that are.

enters   a pod, the columns
leaves   codes in an array (filters), raw or normalized scores 0..100 in an array (scores)
holds    nothing here changes the columns; what is cached is kept by shape and thrown away when its inputs changed
"""
