/* master IFNAME SOURCE ADDRESS [lease]: the barest master of one virtual router, VRID 1. It sends an advert a second by a
 * raw socket and, if asked to, adds ADDRESS for three seconds each time, which renews its lease, as linkwatch-vrrp does. */
#include "bare.h"
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

static uint16_t checksum(const uint8_t *bytes, size_t count, uint32_t sum) {
    for (size_t i = 0; i < count; i += 2) sum += bytes[i] << 8 | bytes[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return htons(~sum);
}

static int advert_socket(int ifindex) {
    int one = 1, zero = 0, fd = socket(AF_INET, SOCK_RAW, 112);
    struct ip_mreqn out = {.imr_ifindex = ifindex};
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof one) ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out) ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &zero, sizeof zero))
        die("raw socket");
    return fd;
}

/* Version 3, priority 200, an interval of 100 centiseconds, one address; the sum has a pseudo-header. */
static void make_advert(uint8_t packet[32], struct in_addr source, struct in_addr address) {
    static const uint8_t start[24] = {
        0x45, 0xc0, 0, 32, 0, 0, 0x40, 0, 255, 112, 0, 0, 0, 0, 0, 0, 224, 0, 0, 18, 0x31, 1, 200, 1};
    memcpy(packet, start, sizeof start);
    memcpy(packet + 12, &source, 4);
    memcpy(packet + 24, (const uint8_t[]){0, 100, 0, 0}, 4);
    memcpy(packet + 28, &address, 4);
    uint16_t sum = checksum(packet + 12, 20, 112 + 12);
    memcpy(packet + 26, &sum, 2);
}

static void make_lease(struct nlmsghdr *header, int ifindex, struct in_addr address) {
    header->nlmsg_type = RTM_NEWADDR;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    *message = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = (unsigned)ifindex};
    struct ifa_cacheinfo lease = {.ifa_prefered = 3, .ifa_valid = 3};
    mnl_attr_put_u32(header, IFA_LOCAL, address.s_addr);
    mnl_attr_put_u32(header, IFA_ADDRESS, address.s_addr);
    mnl_attr_put(header, IFA_CACHEINFO, sizeof lease, &lease);
}

int main(int argc, char **argv) {
    struct in_addr source, address;
    if (argc < 4 || !inet_aton(argv[2], &source) || !inet_aton(argv[3], &address)) return 64;
    int ifindex = (int)if_nametoindex(argv[1]), fd = advert_socket(ifindex), leases = argc > 4;
    struct mnl_socket *rtnl = mnl_socket_open(NETLINK_ROUTE);
    if (!rtnl || mnl_socket_bind(rtnl, 0, MNL_SOCKET_AUTOPID) < 0) die("rtnetlink");
    uint8_t packet[32], buffer[256] = {0};
    make_advert(packet, source, address);
    struct nlmsghdr *lease = mnl_nlmsg_put_header(buffer);
    make_lease(lease, ifindex, address);
    struct sockaddr_in group = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xe0000012)};
    for (int64_t next_ns = now_ns();; next_ns += 1000000000) {
        sleep_until(next_ns);
        if (sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&group, sizeof group) < 0) die("advert");
        if (leases && mnl_socket_sendto(rtnl, lease, lease->nlmsg_len) < 0) die("lease");
    }
}
