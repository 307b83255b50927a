#include "links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"

/* A request is built from left to right; `size` bytes of it are used. */
struct request {
	union {
		struct nlmsghdr header;
		char bytes[1024];
	};
};

static void begin(struct request *request, int type, int flags, const void *fixed, size_t size)
{
	memset(request, 0, sizeof *request);
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	request->header.nlmsg_len = NLMSG_LENGTH(size);
	memcpy(NLMSG_DATA(&request->header), fixed, size);
}

static struct rtattr *add(struct request *request, int type, const void *value, size_t size)
{
	struct rtattr *attribute = (struct rtattr *)(request->bytes + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), value, size);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void end_nested(struct request *request, struct rtattr *outer)
{
	outer->rta_len = request->bytes + request->header.nlmsg_len - (char *)outer;
}

static void add_address(struct request *request, int type, int family, number address)
{
	unsigned char bytes[16];

	address_bytes(family, address, bytes);
	add(request, type, bytes, family == AF_INET ? 4 : 16);
}

/* 0, or the error with which the kernel has refused. */
static int ask(int socket, struct request *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[4096];
	} answer;

	if (send(socket, request, request->header.nlmsg_len, 0) < 0)
		return errno;
	if (recv(socket, &answer, sizeof answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof answer.error))
		return errno ? errno : EIO;
	return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EIO;
}

int links_open(void)
{
	int opened = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (opened < 0)
		fail("open", "a netlink socket", errno);
	return opened;
}

void link_make_pair(int socket, const char *host, const char *pod, int netns, int mtu)
{
	struct ifinfomsg fixed = {.ifi_family = AF_UNSPEC};
	struct request request;
	struct rtattr *about, *details, *peer;
	int error;

	begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed);
	add(&request, IFLA_IFNAME, host, strlen(host) + 1);
	if (mtu)
		add(&request, IFLA_MTU, &(uint32_t){mtu}, sizeof(uint32_t));
	about = add(&request, IFLA_LINKINFO, NULL, 0);
	add(&request, IFLA_INFO_KIND, "veth", 4);
	details = add(&request, IFLA_INFO_DATA, NULL, 0);
	peer = add(&request, VETH_INFO_PEER, &fixed, sizeof fixed);
	add(&request, IFLA_IFNAME, pod, strlen(pod) + 1);
	add(&request, IFLA_NET_NS_FD, &netns, sizeof netns);
	if (mtu)
		add(&request, IFLA_MTU, &(uint32_t){mtu}, sizeof(uint32_t));
	end_nested(&request, peer);
	end_nested(&request, details);
	end_nested(&request, about);
	error = ask(socket, &request);
	if (error)
		fail("make the pair of", pod, error);
}

bool link_remove(int socket, const char *name)
{
	struct ifinfomsg fixed = {.ifi_family = AF_UNSPEC};
	struct request request;
	int error;

	begin(&request, RTM_DELLINK, 0, &fixed, sizeof fixed);
	add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	error = ask(socket, &request);
	if (error && error != ENODEV)
		fail("remove", name, error);
	return !error;
}

bool link_find(struct link *link, const char *name)
{
	struct ifreq request = {0};
	int asked = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const unsigned char *mac = (const unsigned char *)request.ifr_hwaddr.sa_data;

	snprintf(link->name, sizeof link->name, "%s", name);
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (ioctl(asked, SIOCGIFINDEX, &request)) {
		close(asked);
		return false;
	}
	link->index = request.ifr_ifindex;
	if (ioctl(asked, SIOCGIFHWADDR, &request))
		fail("look at", name, errno);
	snprintf(link->mac, sizeof link->mac, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	close(asked);
	return true;
}

void link_up(int socket, int index)
{
	struct ifinfomsg fixed = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct request request;
	int error;

	begin(&request, RTM_NEWLINK, 0, &fixed, sizeof fixed);
	error = ask(socket, &request);
	if (error)
		fail("set up", "an interface", error);
}

void link_add_address(int socket, int index, int family, number address, int prefix)
{
	struct ifaddrmsg fixed = {.ifa_family = family, .ifa_prefixlen = prefix, .ifa_index = index};
	/* Nobody else has the address: nothing to be found out about duplicates. */
	uint32_t flags = IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT | (family == AF_INET6 ? IFA_F_NODAD : 0);
	struct request request;
	int error;

	begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed);
	add_address(&request, IFA_LOCAL, family, address);
	add_address(&request, IFA_ADDRESS, family, address);
	add(&request, IFA_FLAGS, &flags, sizeof flags);
	error = ask(socket, &request);
	if (error)
		fail("add an address to", "an interface", error);
}

void link_add_route(int socket, int index, int family, number destination, int prefix, const number *gateway,
		    const number *source, int scope)
{
	struct rtmsg fixed = {
		.rtm_family = family,
		.rtm_dst_len = prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = scope,
		.rtm_type = RTN_UNICAST,
	};
	struct request request;
	int error;

	begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed);
	if (prefix)
		add_address(&request, RTA_DST, family, destination);
	if (gateway)
		add_address(&request, RTA_GATEWAY, family, *gateway);
	if (source)
		add_address(&request, RTA_PREFSRC, family, *source);
	add(&request, RTA_OIF, &index, sizeof index);
	error = ask(socket, &request);
	if (error)
		fail("add a route to", "an interface", error);
}
