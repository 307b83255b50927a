"""The command line: one file per verb; parsing and printing only, no decisions.

enters   arguments
leaves   text for people on standard output, errors with what to do on standard error, exit codes
fails    ApiError and EdgeError end as one line and exit code 1; usage errors as 2
"""
