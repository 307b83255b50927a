"""The controllers: each makes one kind of desired state true, through the API and nothing else.

enters   objects of the API, through one shared informer per resource; time
leaves   creates, updates and deletes; Events
holds    work follows what changed; every decision is a pure function in a `plan.py`
fails    ApiError and EdgeError of one object requeue that object with backoff; the others go on
start    manager.ControllerManager.run -> loop.work -> a controller's sync
"""
