/* subscriber SOCKET [IFNAME]: the barest subscriber of linkwatchd. One line an event: instant of its arrival (ns),
 * ifindex, 1 or 0 for rawState, kind, the event's own monotonicUsec, cause. It says `ready` at `synced`. */
#include "bare.h"
#include <sys/socket.h>
#include <sys/un.h>

static const char *field(const char *text, const char *name, char *out, size_t size) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(text, key);
    out[0] = 0;
    if (!at) return NULL;
    at += strlen(key);
    int quoted = *at == '"';
    if (quoted) at++;
    size_t n = 0;
    while (n + 1 < size && *at && (quoted ? *at != '"' : *at != ',' && *at != '}')) out[n++] = *at++;
    out[n] = 0;
    return out;
}

static void on_message(const char *text, int64_t seen_ns) {
    char kind[32], ifindex[32], raw[32], usec[32], cause[32];
    field(text, "kind", kind, sizeof kind);
    if (!strcmp(kind, "synced")) printf("ready\n");
    if (!field(text, "ifindex", ifindex, sizeof ifindex)) return;
    field(text, "rawState", raw, sizeof raw);
    field(text, "monotonicUsec", usec, sizeof usec);
    field(text, "cause", cause, sizeof cause);
    printf("%lld %s %d %s %s %s\n", (long long)seen_ns, ifindex, !strcmp(raw, "up"), kind, usec, cause);
}

int main(int argc, char **argv) {
    if (argc < 2) { fprintf(stderr, "usage: subscriber SOCKET [IFNAME]\n"); return 64; }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die(argv[1]);
    char call[256];
    int length = argc > 2 ? snprintf(call, sizeof call, "{\"method\":\"io.linkwatch.Monitor.Watch\",\"more\":true,"
                                     "\"parameters\":{\"interfaces\":[\"%s\"]}}", argv[2])
                          : snprintf(call, sizeof call, "{\"method\":\"io.linkwatch.Monitor.Watch\",\"more\":true}");
    if (write(fd, call, (size_t)length + 1) != length + 1) die("write");
    static char buffer[1 << 20];
    size_t have = 0;
    for (;;) {
        ssize_t got = read(fd, buffer + have, sizeof buffer - have);
        int64_t seen_ns = now_ns();
        if (got <= 0) return got < 0 ? (die("read"), 1) : 0;
        have += (size_t)got;
        char *start = buffer, *end;
        while ((end = memchr(start, 0, have - (size_t)(start - buffer)))) {
            on_message(start, seen_ns);
            start = end + 1;
        }
        have -= (size_t)(start - buffer);
        memmove(buffer, start, have);
        fflush(stdout);
    }
}
