/* What a poll costs beyond the system call that it cannot do without.
 *
 *     gcc -O2 -Wall -Wextra -pthread -ISources/CIoctl/include -o poll-cost Benchmarks/poll-cost.c Sources/CIoctl/[a-z]*.c
 *     ./poll-cost IFNAME...
 *
 * For each interface, and for each of SIOCGMIIREG and ETHTOOL_GLINK: a bare loop over one prepared ioctl against CIoctl's
 * poll function, in turns of a few milliseconds; the median of the turns' ratios. Where the interface has no MII, both
 * measure the refusal. Then all interfaces together at 10 ms for two seconds: the CPU time of a bare thread (sleep until,
 * GLINK each) against that of the sweep, per round. Needs CAP_NET_ADMIN for the first; add -static for a lab. */
#include "cioctl.h"

#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/mii.h>
#include <linux/sockios.h>

enum { TURNS = 101, TURN_NS = 5000000, PORTS_MAX = 64, ROUNDS = 200, ROUND_NS = 10000000 };

static int64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values) {
    qsort(values, TURNS, sizeof *values, by_value);
    return values[TURNS / 2];
}

/* MARK: One poll */

struct bare {
    int fd;
    unsigned long number;
    struct ifreq request;
    struct ethtool_value value;
};

static void prepare(struct bare *bare, const char *ifname, size_t source, uint16_t phy) {
    memset(bare, 0, sizeof *bare);
    bare->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(bare->request.ifr_name, IFNAMSIZ, "%s", ifname);
    bare->number = source == CIOCTL_MII ? SIOCGMIIREG : SIOCETHTOOL;
    bare->value.cmd = ETHTOOL_GLINK;
    struct mii_ioctl_data data = {.phy_id = phy, .reg_num = MII_BMSR};
    if (source == CIOCTL_MII) memcpy(&bare->request.ifr_ifru, &data, sizeof data);
    else bare->request.ifr_data = (void *)&bare->value;
}

static volatile int sink;

static double bare_ns(struct bare *bare, int count) {
    int64_t start = read_clock(CLOCK_MONOTONIC);
    for (int i = 0; i < count; i++) sink = ioctl(bare->fd, bare->number, &bare->request);
    return (double)(read_clock(CLOCK_MONOTONIC) - start) / count;
}

static double ours_ns(
    const struct cioctl_backend *backend, size_t source, struct cioctl_target *target, int count) {
    int64_t start = read_clock(CLOCK_MONOTONIC);
    for (int i = 0; i < count; i++) {
        struct cioctl_reading reading = {0};
        sink = cioctl_probes[source].poll(backend, target, &reading);
    }
    return (double)(read_clock(CLOCK_MONOTONIC) - start) / count;
}

static void compare(const struct cioctl_backend *backend, const char *ifname, size_t source) {
    struct cioctl_target target = {.ifindex = if_nametoindex(ifname)};
    struct cioctl_reading reading = {0};
    snprintf(target.ifname, sizeof target.ifname, "%s", ifname);
    int first = cioctl_probes[source].poll(backend, &target, &reading);
    if (target.known.has_no_glink) {
        printf("%-12s driver  has no GLINK\n", ifname);
        return;
    }
    target.known.has_phy = true;
    struct bare bare;
    prepare(&bare, ifname, source, target.known.phy);
    int count = (int)(TURN_NS / bare_ns(&bare, 100)) + 1;
    double theirs[TURNS], ours[TURNS], ratios[TURNS];
    for (int turn = 0; turn < TURNS; turn++) {
        theirs[turn] = bare_ns(&bare, count);
        ours[turn] = ours_ns(backend, source, &target, count);
        ratios[turn] = ours[turn] / theirs[turn];
    }
    close(bare.fd);
    printf("%-12s %-6s  bare ioctl %.0f ns, poll %.0f ns, ratio %.3f  (%s)\n", ifname,
           cioctl_probes[source].name, median(theirs), median(ours), median(ratios),
           first < 0 ? strerror(-first) : first ? "up" : "down");
}

/* MARK: All of them, as a thread does it */

struct round {
    struct bare bares[PORTS_MAX];
    int count;
};

static void *bare_thread(void *argument) {
    struct round *round = argument;
    int64_t due = read_clock(CLOCK_MONOTONIC);
    for (int i = 0; i < ROUNDS; i++) {
        due += ROUND_NS;
        struct timespec until = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        for (int port = 0; port < round->count; port++)
            sink = ioctl(round->bares[port].fd, round->bares[port].number, &round->bares[port].request);
    }
    return NULL;
}

static double bare_round_us(char **ifnames, int count) {
    static struct round round;
    pthread_t thread;
    round.count = count;
    for (int i = 0; i < count; i++) prepare(&round.bares[i], ifnames[i], CIOCTL_DRIVER, 0);
    int64_t start = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    pthread_create(&thread, NULL, bare_thread, &round);
    pthread_join(thread, NULL);
    return (double)(read_clock(CLOCK_PROCESS_CPUTIME_ID) - start) / 1000 / ROUNDS;
}

static double sweep_round_us(char **ifnames, int count) {
    struct cioctl_options options = {.interval_ns = {ROUND_NS, ROUND_NS}, .stuck_after_ns = 50000000};
    struct cioctl_port ports[PORTS_MAX] = {0};
    struct cioctl_sweep *sweep;
    if (cioctl_sweep_create(&options, &sweep) < 0) return 0;
    for (int i = 0; i < count; i++) {
        ports[i].ifindex = if_nametoindex(ifnames[i]);
        ports[i].sources = 1u << CIOCTL_DRIVER;
        snprintf(ports[i].ifname, sizeof ports[i].ifname, "%s", ifnames[i]);
    }
    int64_t start = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    int refused = cioctl_sweep_set_ports(sweep, ports, (size_t)count);
    usleep((useconds_t)ROUNDS * (ROUND_NS / 1000));
    double spent = (double)(read_clock(CLOCK_PROCESS_CPUTIME_ID) - start) / 1000 / ROUNDS;
    cioctl_sweep_destroy(sweep);
    return refused < 0 ? 0 : spent;
}

int main(int argc, char **argv) {
    struct cioctl_backend backend;
    int count = argc - 1;
    if (count < 1 || count > PORTS_MAX) {
        fprintf(stderr, "usage: poll-cost IFNAME...   (1 to %d)\n", PORTS_MAX);
        return 64;
    }
    for (int i = 1; i < argc; i++)
        if (if_nametoindex(argv[i]) == 0) {
            fprintf(stderr, "poll-cost: %s: %s\n", argv[i], strerror(errno));
            return 1;
        }
    if (cioctl_kernel_open(&backend) < 0) return 1;
    for (int i = 1; i < argc; i++) {
        compare(&backend, argv[i], CIOCTL_MII);
        compare(&backend, argv[i], CIOCTL_DRIVER);
    }
    cioctl_kernel_close(&backend);
    double theirs = bare_round_us(argv + 1, count), ours = sweep_round_us(argv + 1, count);
    printf("%d port(s) every 10 ms: bare thread %.1f us of CPU a round, sweep %.1f us, ratio %.3f\n", count, theirs, ours,
           ours / theirs);
    return 0;
}
