/* subscribers SOCKET COUNT IFNAME: many subscribers of linkwatchd in one process. For each event about the interface
 * that all of them have received, a line: its seq, the instant (ns) at which the first had it, the middle one, the
 * last, and 1 or 0 for rawState. It says `ready` when the last has its `synced`. */
#include "bare.h"
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { BUFFER = 65536, EVENTS = 4096 };
struct peer { int fd; size_t have; char *buffer; };
struct event { long seq; int count; int64_t first_ns, middle_ns; };

static struct event events[EVENTS];
static int count, synced;

static void on_message(const char *text, int64_t seen_ns) {
    const char *seq = strstr(text, "\"seq\":"), *kind = strstr(text, "\"kind\":\"");
    if (!seq || !kind) return;
    if (!strncmp(kind + 8, "synced", 6) && ++synced == count) {
        printf("ready\n");
        fflush(stdout);
    }
    if (strncmp(kind + 8, "changed", 7)) return;
    struct event *event = &events[atol(seq + 6) % EVENTS];
    if (event->seq != atol(seq + 6)) *event = (struct event){.seq = atol(seq + 6), .first_ns = seen_ns};
    if (++event->count == (count + 1) / 2) event->middle_ns = seen_ns;
    if (event->count == count) {
        printf("%ld %lld %lld %lld %d\n", event->seq, (long long)event->first_ns, (long long)event->middle_ns,
               (long long)seen_ns, strstr(text, "\"rawState\":\"up\"") != NULL);
        fflush(stdout);
    }
}

static void subscribe(struct peer *peer, const char *path, const char *ifname, int poller) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    peer->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    peer->buffer = malloc(BUFFER);
    if (peer->fd < 0 || !peer->buffer || connect(peer->fd, (struct sockaddr *)&address, sizeof address) < 0) die(path);
    char call[256];
    int length = snprintf(call, sizeof call, "{\"method\":\"io.linkwatch.Monitor.Watch\",\"more\":true,"
                          "\"parameters\":{\"interfaces\":[\"%s\"]}}", ifname);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = peer};
    if (write(peer->fd, call, (size_t)length + 1) != length + 1) die("write");
    if (epoll_ctl(poller, EPOLL_CTL_ADD, peer->fd, &interest) < 0) die("epoll");
}

static void receive(struct peer *peer) {
    ssize_t got = read(peer->fd, peer->buffer + peer->have, BUFFER - peer->have);
    int64_t seen_ns = now_ns();
    if (got <= 0) { fprintf(stderr, "subscribers: a connection ended\n"); exit(1); }
    peer->have += (size_t)got;
    char *start = peer->buffer, *end;
    while ((end = memchr(start, 0, peer->have - (size_t)(start - peer->buffer)))) {
        on_message(start, seen_ns);
        start = end + 1;
    }
    peer->have -= (size_t)(start - peer->buffer);
    memmove(peer->buffer, start, peer->have);
}

int main(int argc, char **argv) {
    if (argc != 4) { fprintf(stderr, "usage: subscribers SOCKET COUNT IFNAME\n"); return 64; }
    count = atoi(argv[2]);
    struct rlimit limit = {(rlim_t)count + 64, (rlim_t)count + 64};
    setrlimit(RLIMIT_NOFILE, &limit);
    int poller = epoll_create1(0);
    struct peer *peers = calloc((size_t)count, sizeof *peers);
    for (int i = 0; i < count; i++) subscribe(&peers[i], argv[1], argv[3], poller);
    struct epoll_event ready[256];
    for (;;) {
        int found = epoll_wait(poller, ready, 256, -1);
        for (int i = 0; i < found; i++) receive(ready[i].data.ptr);
    }
}
