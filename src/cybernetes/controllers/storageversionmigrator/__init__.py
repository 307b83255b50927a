"""Rewrites all objects of a resource, so that the store has them in the storage version.

enters   StorageVersionMigrations; pages of the resource's metadata
leaves   an empty apply of each object, which the API server stores in the version that it stores by now; conditions
holds    an object that is changed by others meanwhile is in that version too, and is left to them
fails    Failed where the resource is not there or can't be listed and patched; else tried again from the beginning
start    loop.StorageVersionMigrator.sync
source   Kubernetes documentation "Migrate Kubernetes Objects Using Storage Version Migration"
"""
