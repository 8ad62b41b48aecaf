/* cutter: does things to the ports of a switch by one system call each, as its standard input says, a line each, and
 * answers with the instant (ns) just before the call:
 *
 *     down PORT           the port goes down, and the other end loses its carrier
 *     up PORT
 *     leave PORT BRIDGE   the port leaves its bridge: the carrier stays and nothing passes
 *     join PORT BRIDGE */
#include "bare.h"
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int set_up(int fd, const char *port, int up) {
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", port);
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) return -1;
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    return ioctl(fd, SIOCSIFFLAGS, &request);
}

static int set_member(int fd, const char *port, const char *bridge, int member) {
    struct ifreq request = {.ifr_ifindex = (int)if_nametoindex(port)};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", bridge);
    return ioctl(fd, member ? SIOCBRADDIF : SIOCBRDELIF, &request);
}

int main(void) {
    char line[128], verb[16], port[IFNAMSIZ], bridge[IFNAMSIZ];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%15s %15s %15s", verb, port, bridge) < 2) return 64;
        int64_t before_ns = now_ns();
        int status = verb[0] == 'd' || verb[0] == 'u' ? set_up(fd, port, verb[0] == 'u')
                                                      : set_member(fd, port, bridge, verb[0] == 'j');
        if (status < 0) die(line);
        printf("%lld\n", (long long)before_ns);
        fflush(stdout);
    }
    return 0;
}
