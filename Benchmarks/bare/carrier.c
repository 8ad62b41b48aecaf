/* carrier IFNAME COUNT PERIOD_MS [varyN|flush]: makes a tap, brings it up, and switches its carrier off and on,
 * COUNT times, each PERIOD_MS apart. One line a switch: instant just before the call (ns), just after it, ifindex, 1
 * or 0. It says `ready` and waits for a line on stdin before it begins, and again before it ends, so that whoever
 * watches can be ready. An interface that is there already is set down and up instead: the other end of a veth loses
 * its carrier by that.
 *
 * varyN: the periods vary evenly by half, always in the same way for a number N, so that switches keep no step with
 * anyone's clock nor with those of another number.
 * flush: after switching off it asks for the link by ETHTOOL_GLINK, which makes newer kernels announce the loss at
 * once (otherwise they take up to a second). The instant before is then that before asking. */
#include "bare.h"
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int fd;

static void ask_for_link(const char *ifname) {
    struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ifname);
    request.ifr_data = (void *)&value;
    if (ioctl(fd, SIOCETHTOOL, &request) < 0) die("GLINK");
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: carrier IFNAME COUNT PERIOD_MS [varyN|flush]\n");
        return 64;
    }
    int vary = argc == 5 && !strncmp(argv[4], "vary", 4), flush = argc == 5 && !strcmp(argv[4], "flush");
    int is_there = if_nametoindex(argv[1]) != 0, tap = is_there ? -1 : open("/dev/net/tun", O_RDWR);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", argv[1]);
    if (!is_there && (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0)) die("tap");
    request.ifr_flags = IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) die("up");
    unsigned ifindex = if_nametoindex(argv[1]);
    printf("ready %u\n", ifindex);
    fflush(stdout);
    if (getchar() == EOF) return 0;
    int64_t next_ns = now_ns(), period_ns = atoll(argv[3]) * 1000000;
    srandom(2002 + (unsigned)(vary ? atoi(argv[4] + 4) : 0));
    for (long i = 0; i < 2 * atol(argv[2]); i++) {
        int on = (int)(i & 1);
        next_ns += vary ? period_ns / 2 + random() % period_ns : period_ns;
        sleep_until(next_ns);
        int64_t before_ns = now_ns();
        request.ifr_flags = on ? IFF_UP : 0;
        if (is_there ? ioctl(fd, SIOCSIFFLAGS, &request) : ioctl(tap, TUNSETCARRIER, &on)) die("carrier");
        if (flush && !on) {
            before_ns = now_ns();
            ask_for_link(argv[1]);
        }
        printf("%lld %lld %u %d\n", (long long)before_ns, (long long)now_ns(), ifindex, on);
        fflush(stdout);
    }
    sleep_until(next_ns + 2 * period_ns);
    printf("done\n");
    fflush(stdout);
    getchar();
    return 0;
}
