/* churn IFNAME CHANGES: adds and deletes IPv4 routes through an interface, 10.x.y.0/24 one after the other, CHANGES
 * messages in batches without acknowledgement. Prints the milliseconds that it took and the errors that came back. */
#include "bare.h"
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

enum { BATCH = 64, ROUTES = 1000 };

static char buffer[BATCH * 128];
static size_t used;

static void put(uint16_t type, uint32_t destination, uint32_t ifindex) {
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer + used);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | (type == RTM_NEWROUTE ? NLM_F_CREATE : 0);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof *route);
    *route = (struct rtmsg){.rtm_family = AF_INET, .rtm_dst_len = 24, .rtm_table = RT_TABLE_MAIN,
                            .rtm_protocol = RTPROT_BGP, .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST};
    mnl_attr_put_u32(header, RTA_DST, htonl(destination));
    mnl_attr_put_u32(header, RTA_OIF, ifindex);
    used += header->nlmsg_len;
}

int main(int argc, char **argv) {
    if (argc != 3) { fprintf(stderr, "usage: churn IFNAME CHANGES\n"); return 64; }
    uint32_t ifindex = if_nametoindex(argv[1]), errors = 0;
    struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
    if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) die("netlink");
    int64_t start_ns = now_ns();
    for (long change = 0, changes = atol(argv[2]); change < changes;) {
        for (used = 0; change < changes && used < sizeof buffer - 128; change++) {
            uint32_t number = (uint32_t)(change / 2 % ROUTES);
            put(change % 2 ? RTM_DELROUTE : RTM_NEWROUTE, 0x0a000000 + (number << 8), ifindex);
        }
        if (mnl_socket_sendto(socket, buffer, used) < 0) die("send");
        char answer[8192];
        while (recv(mnl_socket_get_fd(socket), answer, sizeof answer, MSG_DONTWAIT) > 0) errors++;
    }
    printf("%.1f %u\n", (double)(now_ns() - start_ns) / 1e6, errors);
    return 0;
}
