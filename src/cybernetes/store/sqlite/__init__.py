"""The store in one SQLite file: for one machine, and one API server or several.

enters   transactions from any task of one event loop; one process owns a file at a time. Several API servers write
         through one that does nothing else (`server`, `shared`), and read the file themselves
leaves   revisions after fsync, entries, watches fed by what the writer committed
holds    the log is the truth, the table of latest values follows it in the same commit; what was
         acknowledged survives kill and power loss (WAL, synchronous=FULL)
fails    EdgeError NOT_DONE when nothing was written; UNKNOWN when the disk or the writer failed during
         the commit, and then every later use fails until the file is opened again; of a shared file, only what
         waited is UNKNOWN, and later uses wait for the process that opens it again
start    store.SqliteStore.open -> process.launch -> writer.Writer.write
"""
