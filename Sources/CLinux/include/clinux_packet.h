/* Packet and raw sockets for one IP protocol: what linkwatch-vrrp sends and hears with. Functions return a descriptor or
 * 0, or -errno. Sockets are non-blocking and close on exec. */
#ifndef CLINUX_PACKET_H
#define CLINUX_PACKET_H

#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

/* Room for a burst of 255 adverts, each of which costs the buffer a kilobyte; beyond net.core.rmem_max with CAP_NET_ADMIN,
 * and without it as the system has it. */
static inline void clinux_make_room(int fd) {
    int bytes = 512 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
}

/* A packet socket that hears nothing until it is bound: protocol 0. Link-level headers are cut off (SOCK_DGRAM). */
static inline int clinux_packet_socket(void) {
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    clinux_make_room(fd);
    return fd;
}

static inline int clinux_attach_filter(int fd, const struct sock_filter *filter, uint16_t count) {
    struct sock_fprog program = {.len = count, .filter = (struct sock_filter *)filter};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

/* protocol: ETH_P_*, in host order. */
static inline int clinux_packet_bind(int fd, uint16_t protocol, int ifindex) {
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = ifindex};
    return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

/* Sends a network-layer packet in a frame to `mac` (6 bytes); the kernel fills in the frame's source. */
static inline int clinux_packet_send(
    int fd, int ifindex, uint16_t protocol, const uint8_t *mac, const void *packet, size_t length) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = ifindex, .sll_halen = 6};
    memcpy(address.sll_addr, mac, 6);
    ssize_t sent;
    do sent = sendto(fd, packet, length, 0, (struct sockaddr *)&address, sizeof address);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* A raw socket of one interface whose packets carry their own IP header, and do not come back to this host. */
static inline int clinux_raw_socket(int family, int protocol, int ifindex) {
    int one = 1, zero = 0;
    int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) return -errno;
    clinux_make_room(fd);
    int failed = setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex, sizeof ifindex);
    if (!failed && family == AF_INET) {
        struct ip_mreqn out = {.imr_ifindex = ifindex};
        failed = setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof one) ||
                 setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out) ||
                 setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &zero, sizeof zero);
    } else if (!failed) {
        failed = setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof one) ||
                 setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof ifindex) ||
                 setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &zero, sizeof zero);
    }
    if (failed) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

/* group: 4 or 16 bytes, by family. */
static inline int clinux_join(int fd, int family, const uint8_t *group, int ifindex) {
    if (family == AF_INET) {
        struct ip_mreqn request = {.imr_ifindex = ifindex};
        memcpy(&request.imr_multiaddr, group, 4);
        return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) < 0 ? -errno : 0;
    }
    struct ipv6_mreq request = {.ipv6mr_interface = (unsigned)ifindex};
    memcpy(&request.ipv6mr_multiaddr, group, 16);
    return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) < 0 ? -errno : 0;
}

/* Undoes clinux_join. */
static inline int clinux_leave(int fd, int family, const uint8_t *group, int ifindex) {
    if (family == AF_INET) {
        struct ip_mreqn request = {.imr_ifindex = ifindex};
        memcpy(&request.imr_multiaddr, group, 4);
        return setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request) < 0 ? -errno : 0;
    }
    struct ipv6_mreq request = {.ipv6mr_interface = (unsigned)ifindex};
    memcpy(&request.ipv6mr_multiaddr, group, 16);
    return setsockopt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request, sizeof request) < 0 ? -errno : 0;
}

/* Sends a packet that carries its own IP header. The destination is in host order, an IPv4 one in the low 32 bits;
 * ifindex: the scope. */
static inline int clinux_raw_send(
    int fd, int family, uint64_t high, uint64_t low, int ifindex, const void *packet, size_t length) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl((uint32_t)low)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = (uint32_t)ifindex};
    uint64_t words[2] = {htobe64(high), htobe64(low)};
    memcpy(&v6.sin6_addr, words, sizeof words);
    const struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
    ssize_t sent;
    do sent = sendto(fd, packet, length, 0, address, size);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* How many packets the kernel has dropped instead of queueing them at the socket, for want of room above all; it wraps.
 * (SK_MEMINFO_DROPS, linux/sock_diag.h) */
static inline uint32_t clinux_drops(int fd) {
    uint32_t values[9] = {0};
    socklen_t length = sizeof values;
    if (getsockopt(fd, SOL_SOCKET, 55 /* SO_MEMINFO */, values, &length) < 0) return 0;
    return values[8];
}

#define CLINUX_BATCH 32
#define CLINUX_PACKET_MAX 2048

/* What one recvmmsg brings: reused for every call and made ready once, so that its pages are touched only as far as
 * packets are many and long. */
struct clinux_batch {
    struct {
        struct msghdr header;
        unsigned length; /* of the packet on the wire; above CLINUX_PACKET_MAX it was cut */
    } messages[CLINUX_BATCH];
    struct iovec parts[CLINUX_BATCH];
    union {
        struct sockaddr_ll link;
        struct sockaddr_in6 ip6;
        struct sockaddr_in ip4;
    } from[CLINUX_BATCH];
    uint8_t data[CLINUX_BATCH][CLINUX_PACKET_MAX];
};

static inline void clinux_prepare(struct clinux_batch *batch) {
    memset(batch->messages, 0, sizeof batch->messages);
    for (int i = 0; i < CLINUX_BATCH; i++) {
        batch->parts[i] = (struct iovec){batch->data[i], CLINUX_PACKET_MAX};
        batch->messages[i].header.msg_iov = &batch->parts[i];
        batch->messages[i].header.msg_iovlen = 1;
        batch->messages[i].header.msg_name = &batch->from[i];
        batch->messages[i].header.msg_namelen = sizeof batch->from[i];
    }
}

/* Returns how many packets it took, 0 if there were none, or -errno (ENETDOWN comes when the interface goes down). */
static inline int clinux_receive(int fd, struct clinux_batch *batch) {
    long count = syscall(SYS_recvmmsg, fd, batch->messages, CLINUX_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    /* The kernel wrote how long the names are. */
    for (long i = 0; i < count; i++) batch->messages[i].header.msg_namelen = sizeof batch->from[i];
    return (int)count;
}

static inline const uint8_t *clinux_packet(const struct clinux_batch *batch, int index) { return batch->data[index]; }
/* The sender's Ethernet address of a packet from a packet socket, in the low 48 bits; 0: it has another kind or none. */
static inline uint64_t clinux_source_mac(const struct clinux_batch *batch, int index) {
    uint64_t mac = 0;
    if (batch->from[index].link.sll_halen != 6) return 0;
    for (int i = 0; i < 6; i++) mac = mac << 8 | batch->from[index].link.sll_addr[i];
    return mac;
}
/* Whether a packet from a packet socket came in a frame to this host's own address (PACKET_HOST). */
static inline bool clinux_is_to_host(const struct clinux_batch *batch, int index) {
    return batch->from[index].link.sll_pkttype == PACKET_HOST;
}
static inline void clinux_ip6_words(const struct clinux_batch *batch, int index, uint64_t *high, uint64_t *low) {
    const uint8_t *bytes = batch->from[index].ip6.sin6_addr.s6_addr;
    *high = *low = 0;
    for (int i = 0; i < 8; i++) {
        *high = *high << 8 | bytes[i];
        *low = *low << 8 | bytes[8 + i];
    }
}
static inline uint32_t clinux_packet_length(const struct clinux_batch *batch, int index) {
    return batch->messages[index].length;
}

#endif
