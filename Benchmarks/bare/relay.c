/* relay: the barest daemon with one subscriber, the least that linkwatchd could be. One process reads RTNLGRP_LINK with
 * libmnl and sends 900 bytes for each message over a Unix socket to another, which prints what link-events prints: the
 * instant (ns) at which it has read them, ifindex, 1 or 0 for IFF_LOWER_UP, 1 or 0 for IFF_RUNNING. */
#include "bare.h"
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct event { int ifindex, lower_up, running; char rest[888]; };

static int peer;

static int on_message(const struct nlmsghdr *header, void *data) {
    (void)data;
    if (header->nlmsg_type != RTM_NEWLINK) return MNL_CB_OK;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    if (info->ifi_family != AF_UNSPEC) return MNL_CB_OK;
    struct event event = {info->ifi_index, !!(info->ifi_flags & IFF_LOWER_UP), !!(info->ifi_flags & IFF_RUNNING), {0}};
    if (send(peer, &event, sizeof event, MSG_NOSIGNAL) < 0) exit(0);
    return MNL_CB_OK;
}

static void subscribe(int fd) {
    struct event event;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (recv(fd, &event, sizeof event, MSG_WAITALL) == sizeof event) {
        printf("%lld %d %d %d\n", (long long)now_ns(), event.ifindex, event.lower_up, event.running);
        fflush(stdout);
    }
}

int main(void) {
    int ends[2];
    struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
    if (!socket || mnl_socket_bind(socket, 1 << (RTNLGRP_LINK - 1), MNL_SOCKET_AUTOPID) < 0) die("netlink");
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) die("socketpair");
    printf("ready\n");
    fflush(stdout);
    if (fork() == 0) return subscribe(ends[1]), 0;
    peer = ends[0];
    static char buffer[65536];
    for (;;) {
        ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
        if (length >= 0) mnl_cb_run(buffer, (size_t)length, 0, 0, on_message, NULL);
        else if (errno != EINTR && errno != ENOBUFS) die("recv");
    }
}
