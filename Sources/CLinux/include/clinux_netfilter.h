/* The netlink socket on which nf_tables tells what becomes of its tables. Functions return a descriptor or -errno. */
#ifndef CLINUX_NETFILTER_H
#define CLINUX_NETFILTER_H

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* NFPROTO_INET; its header, linux/netfilter.h, does not go together with netinet/in.h everywhere. */
enum { CLINUX_NFPROTO_INET = 1 };

/* Joined to NFNLGRP_NFTABLES, which takes CAP_NET_ADMIN. */
static inline int clinux_nftables_socket(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) return -errno;
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    int group = NFNLGRP_NFTABLES;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

#endif
