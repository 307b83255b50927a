"""Deletes Jobs some time after they have finished.

enters   Jobs with ttlSecondsAfterFinished; time
leaves   deletions in the foreground
holds    the server is asked once more before a Job is deleted: its time may have been changed
fails    a refused deletion is tried again
start    loop.TtlAfterFinishedController.sync
"""
