/* route-events: the barest libmnl reader of IPv4 route messages, with no filter: it reads and counts. At SIGTERM it
 * prints how many messages came and how often the kernel dropped some. It says `ready` once it is subscribed. */
#include "bare.h"
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <signal.h>

static unsigned long messages, overruns;
static volatile sig_atomic_t ended;

static void on_signal(int number) { (void)number; ended = 1; }

static int on_message(const struct nlmsghdr *header, void *data) {
    (void)data;
    messages += header->nlmsg_type == RTM_NEWROUTE || header->nlmsg_type == RTM_DELROUTE;
    return MNL_CB_OK;
}

int main(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
    if (!socket || mnl_socket_bind(socket, 1 << (RTNLGRP_IPV4_ROUTE - 1), MNL_SOCKET_AUTOPID) < 0) die("netlink");
    printf("ready\n");
    fflush(stdout);
    static char buffer[65536];
    while (!ended) {
        ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
        if (length >= 0) mnl_cb_run(buffer, (size_t)length, 0, 0, on_message, NULL);
        else if (errno == ENOBUFS) overruns++;
        else if (errno != EINTR) die("recv");
    }
    printf("%lu %lu\n", messages, overruns);
    return 0;
}
