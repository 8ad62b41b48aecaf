/*
 * cutwatch: the ground truth of the wire lab. When did the wire go, and when did each source of the kernel say so?
 *
 *     cutwatch [-i MICROSECONDS] IFNAME...
 *
 * Every interval (1000 us unless told otherwise) it asks each interface for its PHY's status register (SIOCGMIIREG,
 * BMSR) and its driver for the link (ETHTOOL_GLINK); between two polls it waits for link messages of rtnetlink. Each
 * change, and each first word, is one JSON line on standard output:
 *
 *     {"t_ns": 5120034011, "ifname": "e0", "ifindex": 2, "source": "mii", "up": false}
 *
 * source: mii, glink, running (IFF_RUNNING) or lower_up (IFF_LOWER_UP), the last two as netlink delivered them. t_ns is
 * CLOCK_MONOTONIC, taken after the answer. An interface without a PHY says so once: {..., "source": "mii", "error":
 * "Operation not supported"}; 0x0000 and 0xffff are no answer of a PHY: "error": "no PHY". `{"ready": true}` comes
 * after the first words.
 *
 * BMSR latches low: the first read after a blink is 0 even if the link is back, so a 0 is read again at once, and this
 * program takes that latch away from every other reader. It is for the lab's emulated cards, which do not latch.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/mii.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

enum { IFACES_MAX = 64 };
enum source { MII, GLINK, RUNNING, LOWER_UP, SOURCES };
static const char *const source_names[SOURCES] = {"mii", "glink", "running", "lower_up"};

/* A source's last word: 0 and 1 are the link, NOTHING before the first, else a negative errno. */
enum { NOTHING = -10000 };
struct iface {
    char name[IFNAMSIZ];
    int index;
    int said[SOURCES];
};

static struct iface ifaces[IFACES_MAX];
static int iface_count;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void say(struct iface *iface, enum source source, int word)
{
    if (iface->said[source] == word)
        return;
    iface->said[source] = word;
    printf("{\"t_ns\": %lld, \"ifname\": \"%s\", \"ifindex\": %d, \"source\": \"%s\", ", (long long)now_ns(), iface->name,
           iface->index, source_names[source]);
    if (word >= 0)
        printf("\"up\": %s}\n", word ? "true" : "false");
    else
        printf("\"error\": \"%s\"}\n", word == -ENODATA ? "no PHY" : strerror(-word));
}

/* The PHY's status register, or -errno. */
static int read_bmsr(int fd, const struct iface *iface)
{
    struct ifreq request = {0};
    struct mii_ioctl_data *mii = (struct mii_ioctl_data *)&request.ifr_data;
    memcpy(request.ifr_name, iface->name, IFNAMSIZ);
    if (ioctl(fd, SIOCGMIIPHY, &request) < 0)
        return -errno;
    mii->reg_num = MII_BMSR;
    if (ioctl(fd, SIOCGMIIREG, &request) < 0)
        return -errno;
    return mii->val_out;
}

static int ask_mii(int fd, const struct iface *iface)
{
    int bmsr = read_bmsr(fd, iface);
    if (bmsr >= 0 && !(bmsr & BMSR_LSTATUS))
        bmsr = read_bmsr(fd, iface);
    if (bmsr < 0)
        return bmsr;
    if (bmsr == 0 || bmsr == 0xffff)
        return -ENODATA;
    return (bmsr & BMSR_LSTATUS) != 0;
}

static int ask_driver(int fd, const struct iface *iface)
{
    struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
    struct ifreq request = {0};
    memcpy(request.ifr_name, iface->name, IFNAMSIZ);
    request.ifr_data = (char *)&value;
    return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : value.data != 0;
}

static int open_netlink(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int size = 1 << 22;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("cutwatch: netlink");
        exit(1);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    return fd;
}

/* Reads all waiting link messages; bridge ports' messages (AF_BRIDGE) carry no link of their own and are left out. */
static void read_netlink(int fd)
{
    static char buffer[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
    ssize_t got;
    while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        int left = (int)got;
        for (struct nlmsghdr *head = (struct nlmsghdr *)buffer; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
            const struct ifinfomsg *info = NLMSG_DATA(head);
            if (head->nlmsg_type != RTM_NEWLINK || head->nlmsg_len < NLMSG_LENGTH(sizeof *info))
                continue;
            for (int i = 0; i < iface_count; i++) {
                if (ifaces[i].index != info->ifi_index || info->ifi_family == AF_BRIDGE)
                    continue;
                say(&ifaces[i], RUNNING, (info->ifi_flags & IFF_RUNNING) != 0);
                say(&ifaces[i], LOWER_UP, (info->ifi_flags & IFF_LOWER_UP) != 0);
            }
        }
    }
}

/* The index, and what IFF_RUNNING is before netlink has said anything. IFF_LOWER_UP does not fit into SIOCGIFFLAGS. */
static void first_word(int fd, struct iface *iface)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, iface->name, IFNAMSIZ);
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0) {
        fprintf(stderr, "cutwatch: %s: %s\n", iface->name, strerror(errno));
        exit(1);
    }
    iface->index = request.ifr_ifindex;
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0)
        say(iface, RUNNING, (request.ifr_flags & IFF_RUNNING) != 0);
}

/*
 * Waits for link messages until the instant, and reads what is there even if that has passed. Lines go out only here,
 * after a sweep: waking their reader takes longer than the sweep.
 */
static void wait_until(int64_t instant, struct pollfd *netlink)
{
    int64_t left = instant - now_ns();
    fflush(stdout);
    do {
        struct timespec timeout = {left > 0 ? left / 1000000000 : 0, left > 0 ? left % 1000000000 : 0};
        if (ppoll(netlink, 1, &timeout, NULL) > 0)
            read_netlink(netlink->fd);
        fflush(stdout);
        left = instant - now_ns();
    } while (left > 0);
}

static void parse(int argc, char **argv, int64_t *interval_ns)
{
    int option;
    while ((option = getopt(argc, argv, "i:")) != -1) {
        long us = option == 'i' ? atol(optarg) : 0;
        if (us < 100 || us > 60000000) {
            fprintf(stderr, "usage: cutwatch [-i MICROSECONDS] IFNAME...; from 100 us to 60 s\n");
            exit(64);
        }
        *interval_ns = (int64_t)us * 1000;
    }
    for (; optind < argc && iface_count < IFACES_MAX; optind++) {
        struct iface *iface = &ifaces[iface_count++];
        snprintf(iface->name, sizeof iface->name, "%s", argv[optind]);
        for (int source = 0; source < SOURCES; source++)
            iface->said[source] = NOTHING;
    }
}

int main(int argc, char **argv)
{
    int64_t interval_ns = 1000000;
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    parse(argc, argv, &interval_ns);
    struct pollfd netlink = {.fd = open_netlink(), .events = POLLIN};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < iface_count; i++)
        first_word(fd, &ifaces[i]);
    int64_t next = now_ns();
    for (int first = 1;; first = 0) {
        for (int i = 0; i < iface_count; i++) {
            say(&ifaces[i], MII, ask_mii(fd, &ifaces[i]));
            say(&ifaces[i], GLINK, ask_driver(fd, &ifaces[i]));
        }
        if (first)
            puts("{\"ready\": true}");
        next = next + interval_ns > now_ns() ? next + interval_ns : now_ns();
        wait_until(next, &netlink);
    }
}
