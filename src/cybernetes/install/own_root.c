/* own_root PLACE PROGRAM ARGUMENT...: executes the program in a mount namespace whose root is this process's root.
 *
 * In a chroot the two differ. A container that is made there lives below the machine's root, and a command that joins
 * its namespaces later finds itself in the machine's files instead of the container's. PLACE is an empty folder. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static int must(int result, const char *step)
{
	if (result < 0) {
		fprintf(stderr, "own_root: %s: %s\n", step, strerror(errno));
		exit(1);
	}
	return result;
}

int main(int argc, char **argv)
{
	char root_path[32], place_path[32], entered[512], working[4096];

	if (argc < 3) {
		fprintf(stderr, "usage: own_root PLACE PROGRAM ARGUMENT...\n");
		return 2;
	}
	/* The folder may be gone: a shim outlives that of its first container. */
	if (!getcwd(working, sizeof working))
		strcpy(working, "/");
	must(unshare(CLONE_NEWNS), "unshare");
	int root = must(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "open /");
	int place = must(open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC), argv[1]);
	int namespace = must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), "open the mount namespace");

	/* Entering a namespace, also one's own, leads to its root: out of the chroot. */
	must(setns(namespace, CLONE_NEWNS), "setns");
	must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "make the mounts followers");
	snprintf(root_path, sizeof root_path, "/proc/self/fd/%d", root);
	snprintf(place_path, sizeof place_path, "/proc/self/fd/%d", place);
	must(mount(root_path, place_path, NULL, MS_BIND | MS_REC, NULL), "bind the root");

	/* The descriptor is of what lies below the new mount; its name, looked up in its parent, is of the mount. */
	snprintf(entered, sizeof entered, "%s/../%s", place_path, basename(argv[1]));
	must(chdir(entered), "enter the new root");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "leave the old root");
	must(chdir(working), working);
	execvp(argv[2], argv + 2);
	must(-1, argv[2]);
}
