/* A pod's pair of interfaces and its routes, by rtnetlink. All but link_remove end the process when the kernel refuses.
 *
 * A socket stays in the network namespace in which it was opened. */

#ifndef LINKS_H
#define LINKS_H

#include <stdbool.h>

#include "addresses.h"

struct link {
	char name[16];
	char mac[18];
	int index;
};

/* A netlink socket of the namespace that the process is in. */
int links_open(void);

/* Makes `host` here and `pod` in the namespace `netns`, an open file of it. mtu 0: the kernel's choice. */
void link_make_pair(int socket, const char *host, const char *pod, int netns, int mtu);

/* Removes an interface, a pair's other side with it; false when there is none. */
bool link_remove(int socket, const char *name);

/* Index and hardware address of an interface of the namespace that the process is in; false when there is none. */
bool link_find(struct link *link, const char *name);

void link_up(int socket, int index);

/* Without the route to the range that the kernel would add. prefix: bits. */
void link_add_address(int socket, int index, int family, number address, int prefix);

/* gateway, source: NULL for none; prefix 0 and destination 0: everything. scope: RT_SCOPE_... */
void link_add_route(int socket, int index, int family, number destination, int prefix, const number *gateway,
		    const number *source, int scope);

#endif
