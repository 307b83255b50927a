/* Tells the runtime what went wrong, as CNI wants it on the standard output, and ends the process. */

#ifndef FAIL_H
#define FAIL_H

_Noreturn void fail(const char *operation, const char *target, int error);

#endif
