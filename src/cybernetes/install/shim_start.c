/* What containerd 1.x takes for containerd-shim-runc-v2: `FLAGS... -id ID start`, in a container's bundle, says on its
 * standard output where the shim of the container listens, and starts that shim where there is none yet.
 *
 * The real one does the same, but is a large program that takes 3 ms before it does anything, once for each sandbox and
 * each container. The shim itself stays containerd's: it listens on a socket that it is given as descriptor 3,
 * and removes that when it ends. Whatever is not as expected here, and every other action, is containerd's shim's work.
 *
 * source  containerd 1.6, runtime/v2/README.md and runtime/v2/runc/v2/service.go (StartShim) */

#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../network/cni/json.h"

#define SHIM "containerd-shim-runc-v2"
#define SOCKETS "/run/containerd/s"
#define SCHEME "unix://"
#define ID_LENGTH 64
#define CONFIG_MAX (1 << 20)
#define BACKLOG 4096
#define SCORE_MAX 1000
/* The name of the file in a bundle that says where its shim listens. */
#define ADDRESS "address"

static const char *flag(char **argv, const char *name)
{
	for (; argv[0] && argv[1]; argv++)
		if (!strcmp(argv[0], name))
			return argv[1];
	return "";
}

static bool is_this_program(const char *path)
{
	struct stat here, there;

	return !stat("/proc/self/exe", &here) && !stat(path, &there) && here.st_dev == there.st_dev &&
	       here.st_ino == there.st_ino;
}

/* containerd looks for its shim along PATH, where it found this program; the next one of that name is the shim. */
static _Noreturn void leave_to_shim(char **argv)
{
	char program[PATH_MAX];

	for (const char *at = getenv("PATH"); at && *at;) {
		size_t length = strcspn(at, ":");

		snprintf(program, sizeof program, "%.*s/" SHIM, (int)length, at);
		argv[0] = program;
		if (length && !is_this_program(program))
			execv(program, argv);
		at += length + (at[length] == ':');
	}
	perror(SHIM);
	exit(127);
}

/* As runtimes number what they make; other names may lead out of a folder. */
static bool is_id(const char *text)
{
	return strlen(text) == ID_LENGTH && strspn(text, "0123456789abcdef") == ID_LENGTH;
}

static bool read_text(const char *path, char *text, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t count = 0;

	if (file < 0)
		return false;
	while (length < size - 1 && (count = read(file, text + length, size - 1 - length)) > 0)
		length += count;
	close(file);
	text[length] = 0;
	return length && length < size - 1 && !count;
}

/* The sandbox that the bundle's container belongs to. */
static bool read_sandbox(char *sandbox)
{
	char *config = malloc(CONFIG_MAX);
	const char *notes;

	if (!config || !read_text("config.json", config, CONFIG_MAX))
		return false;
	notes = json_member(config, "annotations");
	return !json_member(notes, "io.containerd.runc.v2.group") &&
	       json_text(json_member(notes, "io.kubernetes.cri.sandbox-id"), sandbox, ID_LENGTH + 1) && is_id(sandbox);
}

static bool name_socket(struct sockaddr_un *place, const char *path)
{
	place->sun_family = AF_UNIX;
	return snprintf(place->sun_path, sizeof place->sun_path, "%s", path) < (int)sizeof place->sun_path;
}

static bool is_answered(const char *path)
{
	struct sockaddr_un place = {0};
	int asked = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = asked >= 0 && name_socket(&place, path) && !connect(asked, (struct sockaddr *)&place, sizeof place);

	close(asked);
	return answered;
}

static bool note_address(const char *address)
{
	int file = open("." ADDRESS, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t length = strlen(address);
	bool written = file >= 0 && write(file, address, length) == (ssize_t)length;

	close(file);
	return written && !rename("." ADDRESS, ADDRESS);
}

/* The shim of the container's sandbox, if that runs. */
static bool find_shim(const char *sandbox, char *address, size_t size)
{
	char path[ID_LENGTH + 32];

	snprintf(path, sizeof path, "../%s/" ADDRESS, sandbox);
	return read_text(path, address, size) && !strncmp(address, SCHEME, strlen(SCHEME)) &&
	       is_answered(address + strlen(SCHEME));
}

/* Where there is no folder for sockets yet, containerd's shim makes it. */
static int listen_at(const char *path)
{
	struct sockaddr_un place = {0};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	if (listener < 0 || !name_socket(&place, path))
		return -1;
	if (bind(listener, (struct sockaddr *)&place, sizeof place) || chmod(path, 0600) || listen(listener, BACKLOG)) {
		close(listener);
		return -1;
	}
	return listener;
}

/* A little more than containerd's own, so that of the two a shim is ended for memory first. */
static void adjust_score(pid_t containerd)
{
	char path[48], text[16];
	int file, score;

	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", containerd);
	if (!read_text(path, text, sizeof text) || (score = atoi(text) + 1) > SCORE_MAX)
		return;
	file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (file >= 0) {
		dprintf(file, "%d", score);
		close(file);
	}
}

static _Noreturn void become_shim(int listener, pid_t containerd, char **argv)
{
	char *arguments[] = {SHIM, "-namespace", (char *)flag(argv, "-namespace"), "-id", (char *)flag(argv, "-id"),
			     "-address", (char *)flag(argv, "-address"), NULL};
	int nothing = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	adjust_score(containerd);
	setenv("GOMAXPROCS", "4", 1);
	for (int at = 0; at < 3; at++)
		dup2(nothing, at);
	if (listener != 3)
		dup2(listener, 3);
	for (int at = 4; at <= nothing || at <= listener; at++)
		close(at);
	leave_to_shim(arguments);
}

static bool start_shim(char *address, size_t size, char **argv)
{
	const char *path = address + strlen(SCHEME);
	pid_t containerd = getppid(), child;
	int listener;

	snprintf(address, size, SCHEME SOCKETS "/%s", flag(argv, "-id"));
	listener = listen_at(path);
	if (listener < 0)
		return false;
	child = note_address(address) ? fork() : -1;
	if (child < 0) {
		unlink(path);
		close(listener);
		return false;
	}
	if (!child)
		become_shim(listener, containerd, argv);
	return true;
}

int main(int argc, char **argv)
{
	const char *id = flag(argv, "-id");
	char sandbox[ID_LENGTH + 1], address[256];

	if (argc < 2 || strcmp(argv[argc - 1], "start") || strcmp(flag(argv, "-namespace"), "k8s.io") || !is_id(id) ||
	    getenv("SCHED_CORE") || !read_sandbox(sandbox))
		leave_to_shim(argv);
	if (strcmp(sandbox, id) ? !(find_shim(sandbox, address, sizeof address) && note_address(address))
				: !start_shim(address, sizeof address, argv))
		leave_to_shim(argv);
	printf("%s", address);
	return 0;
}
