/*
 * hello serve PORT GREETING-FILE TICK-FILE   answers every HTTP request with a greeting
 * hello tick TICK-FILE                       writes a counter into a file, once a second
 *
 * Two containers of one pod use it: they share the tick file through an emptyDir volume.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void end(int signal_number) {
    (void)signal_number;
    _exit(0);
}

static void read_file(const char *path, char *into, size_t room) {
    FILE *file = fopen(path, "r");
    size_t got = 0;
    if (file) {
        got = fread(into, 1, room - 1, file);
        fclose(file);
    }
    while (got && into[got - 1] == '\n')
        got--;
    into[got] = 0;
}

static void answer(int client, const char *greeting_file, const char *tick_file) {
    char request[4096], greeting[512], tick[64], host[256], body[1024], head[256];
    struct timeval patience = {.tv_sec = 5};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (read(client, request, sizeof request) <= 0)
        return;
    gethostname(host, sizeof host);
    read_file(greeting_file, greeting, sizeof greeting);
    read_file(tick_file, tick, sizeof tick);
    int length = snprintf(body, sizeof body, "%s from %s, tick %s\n", greeting, host, tick);
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                               "Connection: close\r\n\r\n",
                               length);
    if (write(client, head, head_length) == head_length && write(client, body, length) == length)
        shutdown(client, SHUT_WR);
}

/* For IPv4 and IPv6; for IPv4 alone where the kernel has nothing else. */
static int bind_any(int port) {
    int listener = socket(AF_INET6, SOCK_STREAM, 0), yes = 1, no = 0;
    struct sockaddr_in6 both = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (listener < 0) {
        listener = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        return bind(listener, (struct sockaddr *)&four, sizeof four) ? -1 : listener;
    }
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    return bind(listener, (struct sockaddr *)&both, sizeof both) ? -1 : listener;
}

static int serve(int port, const char *greeting_file, const char *tick_file) {
    int listener = bind_any(port);
    if (listener < 0 || listen(listener, 128)) {
        perror("listen");
        return 1;
    }
    printf("serving on port %d\n", port);
    fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        answer(client, greeting_file, tick_file);
        close(client);
    }
}

static int tick(const char *tick_file) {
    for (unsigned long count = 1;; count++) {
        FILE *file = fopen(tick_file, "w");
        if (!file) {
            perror(tick_file);
            return 1;
        }
        fprintf(file, "%lu\n", count);
        fclose(file);
        printf("tick %lu\n", count);
        fflush(stdout);
        sleep(1);
    }
}

int main(int argc, char **argv) {
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && !strcmp(argv[1], "serve"))
        return serve(atoi(argv[2]), argv[3], argv[4]);
    if (argc == 3 && !strcmp(argv[1], "tick"))
        return tick(argv[2]);
    fprintf(stderr, "usage: hello serve PORT GREETING-FILE TICK-FILE | hello tick TICK-FILE\n");
    return 2;
}
