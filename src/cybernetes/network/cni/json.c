#include "json.h"

#include <stdlib.h>
#include <string.h>

static const char *after_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

static const char *after_string(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at + 1 : at;
}

/* The first character behind a value: of brackets the one behind the fitting end. */
static const char *after_value(const char *at)
{
	int depth = 0;

	for (const char *start = at; *at;) {
		if (!depth && at != start && strchr(",]} \t\r\n", *at))
			return at;
		if (*at == '"') {
			at = after_string(at);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		/* Without a beginning it is the end of what the value is in. */
		if ((*at == '}' || *at == ']') && !depth--)
			return at;
		at++;
	}
	return at;
}

const char *json_member(const char *object, const char *name)
{
	size_t length = strlen(name);

	if (!object || *object != '{')
		return NULL;
	for (const char *at = after_space(object + 1); *at == '"'; at = after_space(at + 1)) {
		const char *value = after_space(after_string(at));

		if (*value != ':')
			return NULL;
		value = after_space(value + 1);
		if (!strncmp(at + 1, name, length) && at[1 + length] == '"')
			return value;
		at = after_space(after_value(value));
		if (*at != ',')
			return NULL;
	}
	return NULL;
}

const char *json_first(const char *array)
{
	if (!array || *array != '[')
		return NULL;
	array = after_space(array + 1);
	return *array == ']' || !*array ? NULL : array;
}

const char *json_next(const char *element)
{
	const char *at = after_space(after_value(element));

	return *at == ',' ? after_space(at + 1) : NULL;
}

bool json_text(const char *value, char *text, size_t size)
{
	size_t length;

	if (!value || *value != '"')
		return false;
	length = strcspn(value + 1, "\"\\");
	if (value[1 + length] != '"' || length >= size)
		return false;
	memcpy(text, value + 1, length);
	text[length] = 0;
	return true;
}

long json_number(const char *value)
{
	return value ? strtol(value, NULL, 10) : 0;
}
