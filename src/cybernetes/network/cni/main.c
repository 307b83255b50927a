/* The CNI plugin `cybernetes`: joins a pod to its node by a routed pair of interfaces.
 *
 * Does in one short run what the plugins ptp, host-local and portmap do in three long ones; called as `loopback` it is
 * that plugin. Host ports, which few pods have, are portmap's work all the same.
 *
 *     {"cniVersion": "1.0.0", "name": "cybernetes", "type": "cybernetes", "dataDir": "/...", "mtu": 0,
 *      "ranges": ["10.244.1.0/24"], "capabilities": {"portMappings": true}, "snat": true}
 *
 * source  CNI specification 1.0.0 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addresses.h"
#include "fail.h"
#include "json.h"
#include "links.h"

#define RANGES_MAX 2
#define HOST_PORTS "portmap"

/* version is that of the configuration, for every answer. */
static struct {
	char version[16], name[128];
	const char *text;
	const char *owner, *netns, *interface, *path;
} call = {.version = "1.0.0"};

/* What the kernel is told of a pod, and the runtime of it. */
struct pod {
	struct link host, own;
	struct address addresses[RANGES_MAX];
	int count;
};

_Noreturn void fail(const char *operation, const char *target, int error)
{
	printf("{\"cniVersion\": \"%s\", \"code\": 999, \"msg\": \"cannot %s %s: %s\"}\n", call.version, operation, target,
	       strerror(error));
	exit(1);
}

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	if (!value || !*value || strpbrk(value, "\"\\"))
		fail("read", name, EINVAL);
	return value;
}

static char *read_input(void)
{
	size_t size = 1 << 20, length = 0;
	char *text = malloc(size);
	ssize_t count;

	while ((count = read(STDIN_FILENO, text + length, size - 1 - length)) > 0)
		length += count;
	if (count < 0 || length == size - 1)
		fail("read", "the configuration", count < 0 ? errno : E2BIG);
	text[length] = 0;
	return text + strspn(text, " \t\r\n");
}

static void read_folder(char *folder)
{
	char data[PATH_MAX];

	if (!json_text(json_member(call.text, "dataDir"), data, sizeof data))
		fail("read", "dataDir", EINVAL);
	if (snprintf(folder, PATH_MAX, "%s/%s", data, call.name) >= PATH_MAX)
		fail("read", "dataDir", ENAMETOOLONG);
}

/* By the owner's name, so that whoever ends the pod finds it without the pod's namespace. FNV-1a. */
static void host_name(char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const char *at = call.owner; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 0x100000001b3;
	for (const char *at = call.interface; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 0x100000001b3;
	snprintf(name, IFNAMSIZ, "veth%08x", (uint32_t)(hash ^ hash >> 32));
}

static int open_namespace(const char *path)
{
	int opened = open(path, O_RDONLY | O_CLOEXEC);

	if (opened < 0)
		fail("open", path, errno);
	return opened;
}

static void enter(int namespace)
{
	if (setns(namespace, CLONE_NEWNET))
		fail("enter", "a network namespace", errno);
}

static void allow_ipv6(void)
{
	char path[64];
	int file;

	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", call.interface);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0 || write(file, "0", 1) != 1)
		fail("write", path, errno);
	close(file);
}

/* Everything but the gateway is behind the gateway, also what is of the pod's own range. */
static void join_pod(int socket, int index, const struct address *of)
{
	int bits = of->family == AF_INET ? 32 : 128;

	link_add_address(socket, index, of->family, of->address, of->prefix);
	link_add_route(socket, index, of->family, of->gateway, bits, NULL, &of->address, RT_SCOPE_LINK);
	link_add_route(socket, index, of->family, of->network, of->prefix, &of->gateway, &of->address, RT_SCOPE_UNIVERSE);
	link_add_route(socket, index, of->family, 0, 0, &of->gateway, NULL, RT_SCOPE_UNIVERSE);
}

static void join_host(int socket, int index, const struct address *of)
{
	int bits = of->family == AF_INET ? 32 : 128;

	link_add_address(socket, index, of->family, of->gateway, bits);
	link_add_route(socket, index, of->family, of->address, bits, NULL, NULL, RT_SCOPE_HOST);
}

static void take_addresses(struct pod *pod)
{
	char folder[PATH_MAX], range[64];

	read_folder(folder);
	for (const char *at = json_first(json_member(call.text, "ranges")); at; at = json_next(at)) {
		if (pod->count == RANGES_MAX || !json_text(at, range, sizeof range))
			fail("read", "ranges", EINVAL);
		pod->addresses[pod->count] = addresses_take(folder, range, pod->count, call.owner, call.interface);
		pod->count++;
	}
	if (!pod->count)
		fail("read", "ranges", EINVAL);
}

static void join(struct pod *pod)
{
	int here = open_namespace("/proc/self/ns/net"), there = open_namespace(call.netns);
	int outside = links_open(), inside;
	char name[IFNAMSIZ];

	host_name(name);
	link_make_pair(outside, name, call.interface, there, json_number(json_member(call.text, "mtu")));
	enter(there);
	inside = links_open();
	if (!link_find(&pod->own, call.interface))
		fail("find", call.interface, ENODEV);
	link_up(inside, pod->own.index);
	enter(here);
	if (!link_find(&pod->host, name))
		fail("find", name, ENODEV);
	link_up(outside, pod->host.index);
	for (int at = 0; at < pod->count; at++) {
		join_host(outside, pod->host.index, &pod->addresses[at]);
		if (pod->addresses[at].family == AF_INET6) {
			enter(there);
			allow_ipv6();
			enter(here);
		}
		join_pod(inside, pod->own.index, &pod->addresses[at]);
	}
	close(here);
	close(there);
	close(inside);
	close(outside);
}

static void print_result(FILE *out, const struct pod *pod)
{
	char text[INET6_ADDRSTRLEN];

	fprintf(out, "{\"cniVersion\": \"%s\", \"interfaces\": [{\"name\": \"%s\", \"mac\": \"%s\"}, ", call.version,
		pod->host.name, pod->host.mac);
	fprintf(out, "{\"name\": \"%s\", \"mac\": \"%s\", \"sandbox\": \"%s\"}], \"ips\": [", pod->own.name, pod->own.mac,
		call.netns);
	for (int at = 0; at < pod->count; at++) {
		const struct address *of = &pod->addresses[at];

		address_text(of->family, of->address, text);
		fprintf(out, "%s{\"interface\": 1, \"address\": \"%s/%d\", ", at ? ", " : "", text, of->prefix);
		address_text(of->family, of->gateway, text);
		fprintf(out, "\"gateway\": \"%s\"}", text);
	}
	fprintf(out, "], \"routes\": [");
	for (int at = 0; at < pod->count; at++)
		fprintf(out, "%s{\"dst\": \"%s\"}", at ? ", " : "", pod->addresses[at].family == AF_INET ? "0.0.0.0/0" : "::/0");
	fprintf(out, "], \"dns\": {}}");
}

static bool has_host_ports(void)
{
	return json_first(json_member(json_member(call.text, "runtimeConfig"), "portMappings")) != NULL;
}

/* The configuration, with what was set up before as CNI hands it down a chain: an open file, at its start. */
static int as_input(const struct pod *pod)
{
	int file = memfd_create("input", 0);
	FILE *out = file < 0 ? NULL : fdopen(file, "w");

	if (!out)
		fail("hand down", "the configuration", errno);
	fprintf(out, "{");
	if (pod) {
		fprintf(out, "\"prevResult\": ");
		print_result(out, pod);
		fprintf(out, ", ");
	}
	fprintf(out, "%s", call.text + 1);
	if (fflush(out) || lseek(file, 0, SEEK_SET))
		fail("hand down", "the configuration", errno);
	return file;
}

/* pod: of an ADD; NULL where the configuration says all. */
static _Noreturn void become_host_ports(const struct pod *pod)
{
	char program[PATH_MAX];

	if (dup2(as_input(pod), STDIN_FILENO) < 0)
		fail("run", HOST_PORTS, errno);
	/* Folders by colons. */
	for (const char *at = call.path; *at;) {
		size_t length = strcspn(at, ":");

		snprintf(program, sizeof program, "%.*s/" HOST_PORTS, (int)length, at);
		execl(program, program, NULL);
		at += length + (at[length] == ':');
	}
	fail("run", HOST_PORTS, errno);
}

static void remove_host_ports(void)
{
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		fail("run", HOST_PORTS, errno);
	if (!child)
		become_host_ports(NULL);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail("wait for", HOST_PORTS, errno);
	/* What went wrong it has said itself. */
	if (status)
		exit(1);
}

static void add(void)
{
	struct pod pod = {0};

	call.netns = from_environment("CNI_NETNS");
	take_addresses(&pod);
	join(&pod);
	if (has_host_ports())
		become_host_ports(&pod);
	print_result(stdout, &pod);
}

/* Of a pod that is gone already, or was never joined, there is nothing to do. */
static void delete(void)
{
	char folder[PATH_MAX], name[IFNAMSIZ];

	if (has_host_ports())
		remove_host_ports();
	host_name(name);
	link_remove(links_open(), name);
	read_folder(folder);
	addresses_give_back(folder, call.owner, call.interface);
}

/* Host ports are left out: portmap 1.1 finds those of a pod without IPv6 wanting. */
static void check(void)
{
	char folder[PATH_MAX], name[IFNAMSIZ];
	struct link found;

	host_name(name);
	read_folder(folder);
	if (!link_find(&found, name))
		fail("find", name, ENODEV);
	if (!addresses_has(folder, call.owner, call.interface))
		fail("find", "an address of the pod", ENOENT);
}

/* An interface `lo` comes and goes with its namespace; all it needs is to be set up. */
static void run_loopback(const char *command)
{
	struct link found;

	if (strcmp(command, "ADD"))
		return;
	call.netns = from_environment("CNI_NETNS");
	enter(open_namespace(call.netns));
	if (!link_find(&found, call.interface))
		fail("find", call.interface, ENODEV);
	link_up(links_open(), found.index);
	printf("{\"cniVersion\": \"%s\", \"interfaces\": [{\"name\": \"%s\", \"mac\": \"%s\", \"sandbox\": \"%s\"}], \"dns\": {}}",
	       call.version, found.name, found.mac, call.netns);
}

static void read_call(void)
{
	call.text = read_input();
	if (!json_text(json_member(call.text, "cniVersion"), call.version, sizeof call.version))
		fail("read", "cniVersion", EINVAL);
	if (!json_text(json_member(call.text, "name"), call.name, sizeof call.name))
		fail("read", "name", EINVAL);
	call.owner = from_environment("CNI_CONTAINERID");
	call.interface = from_environment("CNI_IFNAME");
	call.path = from_environment("CNI_PATH");
}

int main(int argc, char **argv)
{
	const char *command;

	if (!argc)
		return 2;
	command = from_environment("CNI_COMMAND");
	if (!strcmp(command, "VERSION")) {
		printf("{\"cniVersion\": \"1.0.0\", \"supportedVersions\": [\"0.3.1\", \"0.4.0\", \"1.0.0\"]}");
		return 0;
	}
	read_call();
	if (!strcmp(basename(argv[0]), "loopback"))
		run_loopback(command);
	else if (!strcmp(command, "ADD"))
		add();
	else if (!strcmp(command, "DEL"))
		delete();
	else if (!strcmp(command, "CHECK"))
		check();
	else
		fail("do", command, EINVAL);
	return 0;
}
