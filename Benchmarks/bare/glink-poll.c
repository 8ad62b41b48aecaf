/* glink-poll INTERVAL_MS SECONDS IFNAME...: the barest poller, ETHTOOL_GLINK for each port at each interval. Prints the
 * CPU milliseconds that this took, without its start. */
#include "bare.h"
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc < 4) { fprintf(stderr, "usage: glink-poll INTERVAL_MS SECONDS IFNAME...\n"); return 64; }
    int64_t interval_ns = atoll(argv[1]) * 1000000, next_ns = now_ns(), end_ns = next_ns + atoll(argv[2]) * 1000000000;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned up = 0;
    int64_t before_ns = cpu_ns();
    while (next_ns < end_ns) {
        for (int port = 3; port < argc; port++) {
            struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
            struct ifreq request = {0};
            snprintf(request.ifr_name, sizeof request.ifr_name, "%s", argv[port]);
            request.ifr_data = (void *)&value;
            if (ioctl(fd, SIOCETHTOOL, &request) == 0) up += value.data;
        }
        next_ns += interval_ns;
        sleep_until(next_ns);
    }
    printf("%.1f\n", (cpu_ns() - before_ns) / 1e6);
    return up == 0 && argc > 100;
}
