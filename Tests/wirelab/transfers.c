/*
 * transfers: the client and the servers of the story, over TCP, and how long the client had to wait.
 *
 *     transfers serve ADDRESS PORT BYTES
 *     transfers fetch ADDRESS PORT BYTES
 *
 * `serve` answers each connection that sends a byte with BYTES bytes and closes it.
 *
 * `fetch` starts a transfer every 25 ms, whatever became of those before, and gives each up after 500 ms: somebody who
 * clicks again. It is done when all bytes came. Every 200 ms it prints what happened since the last line:
 *
 *     {"t_ns": 5120034011, "done": 10, "failed": 0, "gap_ns": 20500123, "until_ns": 5100021345, "waiting": false}
 *
 * gap_ns is the longest time between the ends of two transfers in a row, counted where it ends (until_ns), and from the
 * last end until now if that is longer: then `waiting` is true. The shortest gap that means anything is that between two
 * starts.
 *
 * One thread and one poll each. The numbers are CLOCK_MONOTONIC.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { CONNECTIONS_MAX = 64, START_NS = 25000000, GIVE_UP_NS = 500000000, REPORT_NS = 200000000 };

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "transfers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* serve: a connection is answered at its first byte and closed; what it cannot take at once it does not get. */
static void serve(const struct sockaddr_in *address, size_t bytes)
{
    static struct pollfd polls[CONNECTIONS_MAX + 1];
    char *answer = calloc(1, bytes), request[64];
    int listener = open_socket(), on = 1, count = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!answer || bind(listener, (const struct sockaddr *)address, sizeof *address) < 0 || listen(listener, 128) < 0)
        die("listen");
    polls[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    puts("ready");
    fflush(stdout);
    for (;;) {
        poll(polls, (nfds_t)count, -1);
        for (int i = count - 1; i > 0; i--) {
            if (!polls[i].revents)
                continue;
            if (read(polls[i].fd, request, sizeof request) > 0)
                (void)!write(polls[i].fd, answer, bytes);
            close(polls[i].fd);
            polls[i] = polls[--count];
        }
        int fd = polls[0].revents ? accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        if (count == CONNECTIONS_MAX + 1)
            close(polls[1].fd), polls[1] = polls[--count]; /* the place of one whose client has long given up */
        polls[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
}

struct transfer {
    int64_t started_ns;
    size_t missing;
};

static struct pollfd polls[CONNECTIONS_MAX];
static struct transfer transfers[CONNECTIONS_MAX];
static int count;

/* What the next line will say. */
static int done, failed;
static int64_t gap_ns, until_ns, last_ns;

static void start(const struct sockaddr_in *address, size_t bytes)
{
    int fd = open_socket();
    if (count == CONNECTIONS_MAX || (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno != EINPROGRESS)) {
        failed++;
        close(fd);
        return;
    }
    polls[count] = (struct pollfd){.fd = fd, .events = POLLOUT};
    transfers[count++] = (struct transfer){now_ns(), bytes};
}

static void finish(int i, int success)
{
    if (success) {
        int64_t t_ns = now_ns();
        done++;
        if (t_ns - last_ns > gap_ns) {
            gap_ns = t_ns - last_ns;
            until_ns = t_ns;
        }
        last_ns = t_ns;
    } else {
        failed++;
    }
    close(polls[i].fd);
    polls[i] = polls[--count];
    transfers[i] = transfers[count];
}

static void attend(int i)
{
    char buffer[16384];
    if (polls[i].revents & POLLOUT) {
        if (send(polls[i].fd, "x", 1, MSG_NOSIGNAL) != 1)
            return finish(i, 0);
        polls[i].events = POLLIN;
        return;
    }
    ssize_t got = read(polls[i].fd, buffer, sizeof buffer);
    if (got <= 0 && !(got < 0 && errno == EAGAIN))
        return finish(i, 0);
    if (got > 0)
        transfers[i].missing -= (size_t)got < transfers[i].missing ? (size_t)got : transfers[i].missing;
    if (transfers[i].missing == 0)
        finish(i, 1);
}

static void report(int64_t t_ns)
{
    int waiting = t_ns - last_ns > gap_ns;
    printf("{\"t_ns\": %lld, \"done\": %d, \"failed\": %d, \"gap_ns\": %lld, \"until_ns\": %lld, \"waiting\": %s}\n",
           (long long)t_ns, done, failed, (long long)(waiting ? t_ns - last_ns : gap_ns),
           (long long)(waiting ? t_ns : until_ns), waiting ? "true" : "false");
    fflush(stdout);
    done = failed = 0;
    gap_ns = 0;
}

static void fetch(const struct sockaddr_in *address, size_t bytes)
{
    int64_t start_ns = now_ns(), report_ns = start_ns + REPORT_NS;
    last_ns = start_ns;
    for (;;) {
        int64_t t_ns = now_ns();
        if (t_ns >= start_ns) {
            start(address, bytes);
            start_ns = t_ns - start_ns > START_NS ? t_ns : start_ns + START_NS;
        }
        for (int i = count - 1; i >= 0; i--)
            if (t_ns - transfers[i].started_ns > GIVE_UP_NS)
                finish(i, 0);
        if (t_ns >= report_ns) {
            report(t_ns);
            report_ns = t_ns + REPORT_NS;
        }
        int64_t left_ns = start_ns - now_ns();
        struct timespec timeout = {0, left_ns > 0 ? left_ns : 0};
        if (ppoll(polls, (nfds_t)count, &timeout, NULL) <= 0)
            continue;
        for (int i = count - 1; i >= 0; i--)
            if (polls[i].revents)
                attend(i);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    long bytes = argc == 5 ? atol(argv[4]) : 0;
    if (bytes < 1 || bytes > 65536 || inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) {
        fprintf(stderr, "usage: transfers serve|fetch ADDRESS PORT BYTES; 1 to 65536 bytes\n");
        return 64;
    }
    address.sin_port = htons((uint16_t)atoi(argv[3]));
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(argv[1], "serve") == 0)
        serve(&address, (size_t)bytes);
    fetch(&address, (size_t)bytes);
}
