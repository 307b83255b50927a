#include "addresses.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"

#define OWNER_MAX 512

static int width(int family)
{
	return family == AF_INET ? 32 : 128;
}

void address_bytes(int family, number address, unsigned char *bytes)
{
	for (int at = width(family) / 8 - 1; at >= 0; at--, address >>= 8)
		bytes[at] = (unsigned char)address;
}

void address_text(int family, number address, char *text)
{
	unsigned char bytes[16];

	address_bytes(family, address, bytes);
	inet_ntop(family, bytes, text, INET6_ADDRSTRLEN);
}

static bool parse(const char *text, int *family, number *address)
{
	unsigned char bytes[16];

	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(*family, text, bytes) != 1)
		return false;
	*address = 0;
	for (int at = 0; at < width(*family) / 8; at++)
		*address = *address << 8 | bytes[at];
	return true;
}

static struct address parse_range(const char *range)
{
	struct address found = {0};
	char text[64];
	const char *slash = strchr(range, '/');

	if (!slash || slash - range >= (long)sizeof text)
		fail("read the range", range, EINVAL);
	memcpy(text, range, slash - range);
	text[slash - range] = 0;
	found.prefix = atoi(slash + 1);
	/* Of fewer than four addresses none is left for a pod. */
	if (!parse(text, &found.family, &found.network) || found.prefix < 1 || found.prefix > width(found.family) - 2)
		fail("read the range", range, EINVAL);
	found.gateway = found.network + 1;
	return found;
}

/* With the folders above it; whatever can't be made is found missing when it is opened. */
static void make_folder(const char *folder)
{
	char part[PATH_MAX];

	for (const char *at = strchr(folder + 1, '/'); at; at = strchr(at + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(at - folder), folder);
		mkdir(part, 0755);
	}
	mkdir(folder, 0755);
}

/* The folder; `lock` is held until it is closed. */
static int open_locked(const char *folder, int *lock)
{
	int place = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place < 0)
		fail("open", folder, errno);
	*lock = openat(place, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*lock < 0 || flock(*lock, LOCK_EX))
		fail("lock", folder, errno);
	return place;
}

static void write_file(int place, const char *name, const char *text, int flags)
{
	int file = openat(place, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	size_t length = strlen(text);

	if (file < 0 || write(file, text, length) != (ssize_t)length)
		fail("write", name, errno);
	close(file);
}

static void read_file(int place, const char *name, char *text, size_t size)
{
	int file = openat(place, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t length = file < 0 ? 0 : read(file, text, size - 1);

	text[length < 0 ? 0 : length] = 0;
	if (file >= 0)
		close(file);
}

static number last_taken(int place, const char *name, int family)
{
	char text[64];
	number last;
	int found;

	read_file(place, name, text, sizeof text);
	text[strcspn(text, "\r\n ")] = 0;
	return parse(text, &found, &last) && found == family ? last : 0;
}

static void owner_text(char *text, const char *owner, const char *interface)
{
	if (snprintf(text, OWNER_MAX, "%s\r\n%s", owner, interface) >= OWNER_MAX)
		fail("take", "CNI_CONTAINERID", ENAMETOOLONG);
}

struct address addresses_take(const char *folder, const char *range, int position, const char *owner, const char *interface)
{
	struct address found = parse_range(range);
	number size = (number)1 << (width(found.family) - found.prefix);
	/* Behind the gateway; before the broadcast address where there is one. */
	number first = found.network + 2, last = found.network + size - (found.family == AF_INET ? 2 : 1);
	char name[INET6_ADDRSTRLEN], mark[32], text[OWNER_MAX];
	int lock, place;
	number at;

	owner_text(text, owner, interface);
	make_folder(folder);
	place = open_locked(folder, &lock);
	snprintf(mark, sizeof mark, "last_reserved_ip.%d", position);
	at = last_taken(place, mark, found.family);
	if (at < first || at > last)
		at = last;
	for (number tries = last - first + 1; tries; tries--) {
		at = at == last ? first : at + 1;
		address_text(found.family, at, name);
		if (faccessat(place, name, F_OK, 0)) {
			write_file(place, name, text, O_EXCL);
			write_file(place, mark, name, O_TRUNC);
			close(place);
			close(lock);
			found.address = at;
			return found;
		}
	}
	fail("take an address of", range, ENOSPC);
}

/* The number of an owner's addresses, which are given back where wanted. */
static int look(const char *folder, const char *owner, const char *interface, bool give_back)
{
	char wanted[OWNER_MAX], text[OWNER_MAX];
	struct dirent *entry;
	int lock, place, count = 0;
	DIR *listed;

	owner_text(wanted, owner, interface);
	if (access(folder, F_OK))
		return 0;
	place = open_locked(folder, &lock);
	listed = fdopendir(dup(place));
	if (!listed)
		fail("list", folder, errno);
	while ((entry = readdir(listed))) {
		number address;
		int family;

		if (!parse(entry->d_name, &family, &address))
			continue;
		read_file(place, entry->d_name, text, sizeof text);
		if (strcmp(text, wanted))
			continue;
		count++;
		if (give_back && unlinkat(place, entry->d_name, 0) && errno != ENOENT)
			fail("give back", entry->d_name, errno);
	}
	closedir(listed);
	close(place);
	close(lock);
	return count;
}

void addresses_give_back(const char *folder, const char *owner, const char *interface)
{
	look(folder, owner, interface, true);
}

bool addresses_has(const char *folder, const char *owner, const char *interface)
{
	return look(folder, owner, interface, false) > 0;
}
