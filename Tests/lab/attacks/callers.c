/* callers SOCKET UID COUNT MODES: a local user who does his worst. As UID it holds COUNT connections to a varlink service,
 * each in one of the MODES, in turn, until SIGTERM; then it prints how many bytes it was answered.
 *   c  calls without end, of what costs most, and reads the answers
 *   e  empty objects, eleven thousand to a chunk, and reads the answers
 *   w  a watch that is never read
 *   h  half a message, byte by byte, without an end
 *   l  the longest calls that are taken, all members and no sense
 *   n  nonsense; the service hangs up, and it comes again
 *   r  one call, hangs up, and comes again */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;
static void end(int number) { (void)number, is_over = 1; }

struct text { char *bytes; size_t length; };
struct client { int fd; char mode; size_t sent; };

static struct text repeated(const char *message, size_t length, size_t bytes) {
    struct text text = {malloc(bytes + length), 0};
    while (text.length < bytes) memcpy(text.bytes + text.length, message, length), text.length += length;
    return text;
}

static struct text long_call(void) {
    struct text text = {malloc(65536), 0};
    text.length = (size_t)sprintf(text.bytes, "{\"method\":\"io.linkwatch.VRRP.Status\",\"parameters\":{\"a\":0");
    while (text.length < 65500) text.length += (size_t)sprintf(text.bytes + text.length, ",\"a\":0");
    text.length += (size_t)sprintf(text.bytes + text.length, "}}") + 1;
    return text;
}

static const char *service;

static int connection(int epoll, struct client *client) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, service, sizeof address.sun_path - 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    client->sent = 0;
    if (client->fd < 0) return -1;
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(client->fd);
        return client->fd = -1;
    }
    struct epoll_event event = {.events = EPOLLOUT | (client->mode == 'w' ? 0 : EPOLLIN), .data.ptr = client};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event);
}

int main(int argc, char **argv) {
    if (argc != 5) { fprintf(stderr, "usage: callers SOCKET UID COUNT MODES\n"); return 64; }
    service = argv[1];
    int uid = atoi(argv[2]), count = atoi(argv[3]);
    const char *modes = argv[4];
    int is_vrrp = strstr(service, "vrrp") != NULL;
    struct rlimit limit = {8192, 8192};
    setrlimit(RLIMIT_NOFILE, &limit);
    if (setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) < 0 || setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0) { perror("setresuid"); return 1; }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, end);

    static const char dump[] = "{\"method\":\"io.linkwatch.Monitor.Dump\"}", status[] = "{\"method\":\"io.linkwatch.VRRP.Status\"}",
        history[] = "{\"method\":\"io.linkwatch.Monitor.History\",\"parameters\":{\"limit\":10000}}",
        describe[] = "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"io.linkwatch.VRRP\"}}",
        watch_monitor[] = "{\"method\":\"io.linkwatch.Monitor.Watch\",\"more\":true}",
        watch_vrrp[] = "{\"method\":\"io.linkwatch.VRRP.Watch\",\"more\":true}";
    struct text by_mode[128] = {0};
    struct text first = is_vrrp ? repeated(status, sizeof status, 1) : repeated(dump, sizeof dump, 1);
    struct text second = is_vrrp ? repeated(describe, sizeof describe, 1) : repeated(history, sizeof history, 1);
    struct text both = {malloc(first.length + second.length), first.length + second.length};
    memcpy(both.bytes, first.bytes, first.length), memcpy(both.bytes + first.length, second.bytes, second.length);
    by_mode['c'] = repeated(both.bytes, both.length, 32768);
    by_mode['e'] = repeated("{}", 3, 32768);
    by_mode['w'] = is_vrrp ? repeated(watch_vrrp, sizeof watch_vrrp, 1) : repeated(watch_monitor, sizeof watch_monitor, 1);
    by_mode['h'] = (struct text){memset(malloc(60000), '{', 60000), 60000};
    by_mode['l'] = long_call();
    by_mode['n'] = repeated("}\1\2", 4, 4);
    by_mode['r'] = first;

    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct client *clients = calloc((size_t)count, sizeof *clients);
    for (int i = 0; i < count; i++) clients[i].mode = modes[(size_t)i % strlen(modes)], clients[i].fd = -1;
    int connected = 0;
    unsigned long long answered = 0;
    static char sink[262144];
    while (!is_over) {
        int tried = 0;
        for (int i = 0; i < count && tried < 64; i++)
            if (clients[i].fd < 0) tried++, connected += connection(epoll, &clients[i]) == 0;
        if (connected == count) { printf("connected\n"); fflush(stdout); connected++; }
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, tried ? 1 : 100);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            struct text text = by_mode[(int)client->mode];
            int is_gone = 0;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                ssize_t got = recv(client->fd, sink, sizeof sink, MSG_DONTWAIT);
                if (got > 0) answered += (unsigned long long)got;
                is_gone = got == 0 || (got < 0 && errno != EAGAIN) || (client->mode == 'r' && got > 0);
            }
            if (!is_gone && events[i].events & EPOLLOUT) {
                size_t left = text.length - client->sent;
                ssize_t sent = send(client->fd, text.bytes + client->sent, client->mode == 'h' && left > 64 ? 64 : left, MSG_DONTWAIT);
                if (sent > 0) client->sent += (size_t)sent;
                if (sent < 0 && errno != EAGAIN) is_gone = 1;
                if (client->sent == text.length) {
                    client->sent = 0;
                    if (!strchr("cel", client->mode)) {
                        struct epoll_event event = {.events = client->mode == 'w' ? 0 : EPOLLIN, .data.ptr = client};
                        epoll_ctl(epoll, EPOLL_CTL_MOD, client->fd, &event);
                    }
                }
            }
            if (is_gone) close(client->fd), client->fd = -1;
        }
    }
    printf("%llu\n", answered);
    return 0;
}
