/*
 * holdwatch: who holds which IPv4 address, in several network namespaces, in the one order in which it happened.
 *
 *     ip netns set r1 1; ip netns set r2 2; holdwatch r1 r2
 *
 * Namespaces are named in the order of the ids that the caller gave them. Each address that comes or goes is one JSON line:
 *
 *     {"t_ns": 5120034011, "namespace": "r1", "address": "192.0.2.1", "held": true}
 *
 * One netlink socket hears all of them (NETLINK_LISTEN_ALL_NSID), and the kernel queues its messages where it changes the
 * table. So the order of two lines is the order of the changes, however late this program runs; a sampler of two tables
 * could not tell one address that moved from one that was held twice for a moment. t_ns is CLOCK_MONOTONIC when the message
 * was read; the program asks for a real-time priority so that this is at once, also on one busy processor.
 *
 * It says nothing of addresses that were there before `{"ready": true}`. A refreshed lifetime is a message too: the reader
 * sees an address that is held become held. A lost message ends the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "holdwatch: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_netlink(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
    int size = 1 << 22, on = 1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        die("socket");
    if (setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof on) < 0)
        die("NETLINK_LISTEN_ALL_NSID");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("bind");
    return fd;
}

/* The id of the namespace that a message comes from; 0, which nobody was given, for our own. */
static int namespace_id(struct msghdr *message)
{
    int id = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
            memcpy(&id, CMSG_DATA(c), sizeof id);
    return id;
}

static void say(const char *name, struct nlmsghdr *head, int64_t t_ns)
{
    struct ifaddrmsg *info = NLMSG_DATA(head);
    int left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof *info));
    for (struct rtattr *a = IFA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        char text[INET_ADDRSTRLEN];
        if (a->rta_type == IFA_LOCAL && RTA_PAYLOAD(a) == 4 && inet_ntop(AF_INET, RTA_DATA(a), text, sizeof text))
            printf("{\"t_ns\": %lld, \"namespace\": \"%s\", \"address\": \"%s\", \"held\": %s}\n", (long long)t_ns, name,
                   text, head->nlmsg_type == RTM_NEWADDR ? "true" : "false");
    }
}

static void read_one(int fd, int count, char **names)
{
    static char buffer[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
    char control[256];
    struct iovec io = {buffer, sizeof buffer};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fd, &message, 0);
    int64_t t_ns = now_ns();
    if (got < 0)
        die("recvmsg");
    int id = namespace_id(&message), left = (int)got;
    if (id < 1 || id > count)
        return;
    for (struct nlmsghdr *head = (struct nlmsghdr *)buffer; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left))
        if (head->nlmsg_type == RTM_NEWADDR || head->nlmsg_type == RTM_DELADDR)
            say(names[id - 1], head, t_ns);
}

int main(int argc, char **argv)
{
    struct sched_param priority = {.sched_priority = 50};
    if (argc < 2) {
        fprintf(stderr, "usage: holdwatch NAMESPACE..., in the order of their ids from 1\n");
        return 64;
    }
    if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
        die("sched_setscheduler");
    int fd = open_netlink();
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    puts("{\"ready\": true}");
    for (;;)
        read_one(fd, argc - 1, argv + 1);
}
