"""What is in the store, as bytes that answers are joined from; and who watches it.

enters   the store's batches, through `feed.Feed`
leaves   items, ordered by key; events to watchers; dicts to in-process readers (`lister.Lister`)
holds    everything acknowledged is visible once `Caches.reached(revision)` returned
fails    a watcher that is too slow is closed, never waited for
"""
