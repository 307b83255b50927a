/* Which addresses of the node's ranges are taken: a file for each below `folder`, named by the address.
 *
 * Kept as the plugin host-local keeps it: `lock`, `last_reserved_ip.N` of range N, and in an address's file the
 * container's id, "\r\n" and the interface. A crash at any time leaves addresses taken, never given twice. */

#ifndef ADDRESSES_H
#define ADDRESSES_H

#include <stdbool.h>

typedef unsigned __int128 number;

/* family: AF_INET or AF_INET6; address and gateway as numbers, prefix: bits of the range. */
struct address {
	int family, prefix;
	number address, gateway, network;
};

/* Takes the next free address of a range ("10.244.1.0/24"), the `position`th; ends the process when there is none. */
struct address addresses_take(const char *folder, const char *range, int position, const char *owner, const char *interface);

/* Gives back all that an owner's interface has; none is fine. */
void addresses_give_back(const char *folder, const char *owner, const char *interface);

/* Whether the owner's interface has an address. */
bool addresses_has(const char *folder, const char *owner, const char *interface);

/* Network byte order, 4 or 16 bytes; and as text, at most INET6_ADDRSTRLEN. */
void address_bytes(int family, number address, unsigned char *bytes);
void address_text(int family, number address, char *text);

#endif
