/* link-events: the barest libmnl reader of RTNLGRP_LINK. One line a message: instant (ns), ifindex, 1 or 0 for
 * IFF_LOWER_UP, 1 or 0 for IFF_RUNNING. It says `ready` once it is subscribed. */
#include "bare.h"
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>

static int64_t seen_ns;

static int on_message(const struct nlmsghdr *header, void *data) {
    (void)data;
    if (header->nlmsg_type != RTM_NEWLINK) return MNL_CB_OK;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    if (info->ifi_family != AF_UNSPEC) return MNL_CB_OK;
    printf("%lld %d %d %d\n", (long long)seen_ns, info->ifi_index, !!(info->ifi_flags & IFF_LOWER_UP),
           !!(info->ifi_flags & IFF_RUNNING));
    return MNL_CB_OK;
}

int main(void) {
    struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
    if (!socket || mnl_socket_bind(socket, 1 << (RTNLGRP_LINK - 1), MNL_SOCKET_AUTOPID) < 0) die("netlink");
    printf("ready\n");
    fflush(stdout);
    static char buffer[65536];
    for (;;) {
        ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
        seen_ns = now_ns();
        if (length < 0) {
            if (errno == EINTR || errno == ENOBUFS) continue;
            die("recv");
        }
        mnl_cb_run(buffer, (size_t)length, 0, 0, on_message, NULL);
        fflush(stdout);
    }
}
