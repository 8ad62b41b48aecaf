/* What comes over a netlink socket, of whatever family. */
#ifndef CLINUX_NETLINK_H
#define CLINUX_NETLINK_H

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* One datagram without waiting. *foreign: it does not come from the kernel. The answer is the datagram's length, also
 * where that is more than size and the rest is lost; or -errno. */
static inline int clinux_netlink_receive(int fd, void *buffer, size_t size, bool *foreign) {
    struct sockaddr_nl from = {0};
    socklen_t length = sizeof from;
    ssize_t got;
    do got = recvfrom(fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &length);
    while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    *foreign = length != sizeof from || from.nl_family != AF_NETLINK || from.nl_pid != 0;
    return got > INT32_MAX ? -EMSGSIZE : (int)got;
}

#endif
