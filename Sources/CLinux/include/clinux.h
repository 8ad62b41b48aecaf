/* What the Glibc module does not export: headers it leaves out, and the few calls that have no wrapper in glibc or whose
 * arguments Swift cannot spell. Header-only but for what needs _GNU_SOURCE; every symbol is prefixed; functions return 0 or
 * -errno. */
#ifndef CLINUX_H
#define CLINUX_H

#include "clinux_netfilter.h"
#include "clinux_netlink.h"
#include "clinux_packet.h"
#include "clinux_process.h"
#include "clinux_spawn.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(struct epoll_event) == 12 || sizeof(struct epoll_event) == 16, "epoll_event layout");

/* The capabilities as two sets of 64 bits; the kernel's calls take them in halves. */
static inline int clinux_capget(uint64_t *effective, uint64_t *permitted) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -errno;
    *effective = data[0].effective | (uint64_t)data[1].effective << 32;
    *permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    return 0;
}

/* For the calling thread alone: call it before any other thread starts. */
static inline int clinux_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* prctl is variadic, which Swift cannot call. */
static inline int clinux_prctl(int option, unsigned long arg2, unsigned long arg3) {
    return prctl(option, arg2, arg3, 0UL, 0UL) < 0 ? -errno : 0;
}

static inline int clinux_pidfd_open(int pid) {
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

/* For the calling thread; behind _GNU_SOURCE in <sched.h>. */
static inline int clinux_setns(int fd) { return syscall(SYS_setns, fd, 0) < 0 ? -errno : 0; }

/* SCHED_RR for the calling process; children start as SCHED_OTHER. */
static inline int clinux_sched_rr(int priority, bool is_inherited) {
    struct sched_param param = {.sched_priority = priority};
    int reset_on_fork = 0x40000000; /* SCHED_RESET_ON_FORK, behind _GNU_SOURCE in <sched.h> */
    return sched_setscheduler(0, SCHED_RR | (is_inherited ? 0 : reset_on_fork), &param) < 0 ? -errno : 0;
}

/* Pages are locked as they are touched, not all at once. The limit counts what is mapped, and without CAP_IPC_LOCK, which a
 * daemon gives up, memory beyond it cannot be had at all: so it must go first. */
static inline int clinux_mlockall_onfault(void) {
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &none) < 0) return -errno;
    return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0 ? -errno : 0;
}

/* Gives back the pages of code and constants, the program's and its libraries', that are mapped: they are clean, and those
 * that are needed again come back from the page cache with a minor fault each. Starting touches most of a static Swift
 * runtime and much of the libraries, running little of either. */
void clinux_release_code_pages(void);

/* struct ucred is behind _GNU_SOURCE. */
struct clinux_peer {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
};

/* accept4() is behind _GNU_SOURCE as well. */
static inline int clinux_accept(int fd) {
    long connection = syscall(SYS_accept4, fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return connection < 0 ? -errno : (int)connection;
}

static inline int clinux_peercred(int fd, struct clinux_peer *peer) {
    socklen_t length = sizeof *peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &length) < 0 ? -errno : 0;
}

/* How many columns of a terminal a character takes, 0 to 2, in the process's locale; 1 for one that it does not know. */
int clinux_columns(uint32_t scalar);

#endif
