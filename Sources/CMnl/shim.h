/* libmnl and the kernel's rtnetlink headers, for Swift: the headers, and static inline stand-ins for what Swift cannot
 * call (variadic macros, calls whose arguments need pointer casts). Functions return 0 or more, or -errno.
 *
 * <net/if.h> comes before <linux/if.h>: the other way round the two define the same structures twice. */
#ifndef CMNL_SHIM_H
#define CMNL_SHIM_H

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

/* The filter of RouteFilter.swift reads these at fixed places. */
_Static_assert(sizeof(struct nlmsghdr) == 16 && offsetof(struct nlmsghdr, nlmsg_type) == 4, "nlmsghdr layout");
_Static_assert(offsetof(struct nlmsghdr, nlmsg_pid) == 12, "nlmsghdr layout");
_Static_assert(sizeof(struct rtmsg) == 12 && offsetof(struct rtmsg, rtm_table) == 4, "rtmsg layout");

/* Address space that costs memory only where it is written, in small pages; NULL: there is none left. */
static inline void *cmnl_map(size_t size) {
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return NULL;
    madvise(start, size, MADV_NOHUGEPAGE);
    return start;
}

/* Gives back what was written there, also where mlockall(2) would keep it. */
static inline void cmnl_forget(void *start, size_t size) {
    if (madvise(start, size, MADV_DONTNEED) == 0) return;
    munlock(start, size);
    madvise(start, size, MADV_DONTNEED);
}

static inline void cmnl_unmap(void *start, size_t size) { munmap(start, size); }

/* To the kernel. It handles a request before the call returns. */
static inline int cmnl_send(int fd, const void *buffer, size_t size) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;
    do sent = sendto(fd, buffer, size, 0, (const struct sockaddr *)&kernel, sizeof kernel);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : (int)sent;
}

static inline int cmnl_setsockopt_int(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

/* Waits until fd is readable: 1, or 0 when timeout_ms ran out or a signal came. */
static inline int cmnl_wait(int fd, int timeout_ms) {
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int ready = poll(&wanted, 1, timeout_ms);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    return ready;
}

static inline int cmnl_attach_filter(int fd, const struct sock_filter *program, unsigned short count) {
    struct sock_fprog filter = {.len = count, .filter = (struct sock_filter *)program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno : 0;
}

#endif
