/* carrier IFNAME COUNT PERIOD_MS: makes a tap, brings it up, and switches its carrier off and on, COUNT times, each
 * PERIOD_MS apart. One line a switch: instant just before the call (ns), instant just after, ifindex, 1 or 0. It waits
 * for a line on stdin before it begins, so that whoever watches can be ready. */
#include "bare.h"
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    if (argc != 4) { fprintf(stderr, "usage: carrier IFNAME COUNT PERIOD_MS\n"); return 64; }
    int tap = open("/dev/net/tun", O_RDWR), fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", argv[1]);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0) die("tap");
    request.ifr_flags = IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) die("up");
    unsigned ifindex = if_nametoindex(argv[1]);
    printf("ready %u\n", ifindex);
    fflush(stdout);
    if (getchar() == EOF) return 0;
    int64_t next_ns = now_ns(), period_ns = atoll(argv[3]) * 1000000;
    for (long i = 0; i < 2 * atol(argv[2]); i++) {
        int on = (int)(i & 1);
        next_ns += period_ns;
        sleep_until(next_ns);
        int64_t before_ns = now_ns();
        if (ioctl(tap, TUNSETCARRIER, &on) < 0) die("TUNSETCARRIER");
        printf("%lld %lld %u %d\n", (long long)before_ns, (long long)now_ns(), ifindex, on);
        fflush(stdout);
    }
    getchar();
    return 0;
}
