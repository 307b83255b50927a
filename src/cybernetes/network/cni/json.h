/* Reads JSON in place: a value is a pointer to its first character; what is not there is NULL.
 *
 * The text is one that a JSON encoder has written; of what is broken anyhow as much is read as makes sense. */

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

/* The value of an object's member; NULL without such a member, and of what is no object. */
const char *json_member(const char *object, const char *name);

/* An array's first element, and the one after an element; NULL behind the last. */
const char *json_first(const char *array);
const char *json_next(const char *element);

/* Copies a string; false when it is none, too long, or has an escaped character. */
bool json_text(const char *value, char *text, size_t size);

/* A number, 0 when it is none. */
long json_number(const char *value);

#endif
