/* The hot path of linkwatch: asking the PHY and the driver whether the link is up, on a thread of its own.
 *
 * Three layers:
 *   kernel.c           one question, one system call; behind a table of functions, so that tests can be a PHY
 *   probe.c            one poll: what SIOCGMIIPHY, SIOCGMIIREG, ETHTOOL_GLINK and their errors mean; the table of probes
 *   sweep.c, ports.c   the thread: which port is due, what changed, who is stuck
 *
 * All functions return 0 or more, or -errno. Interfaces are known by ifindex; the name is what the ioctls want, and it
 * can belong to another interface tomorrow.
 *
 * What this deliberately does not do: SIOCDEVPRIVATE (on other devices those numbers mean other things), writing any
 * register, and drawing conclusions: that is for the module LinkState. */
#ifndef CIOCTL_H
#define CIOCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IFNAMSIZ, which <net/if.h> and <linux/if.h> both define. */
#define CIOCTL_NAME_SIZE 16
/* Ports in one sweep, at most. */
#define CIOCTL_PORTS_MAX 4096
/* Threads of one sweep, the stuck ones included, at most. */
#define CIOCTL_WORKERS_MAX 8
/* A port is reported as failed when its question has been open for this many times `stuck_after_ns`. */
#define CIOCTL_TOLD_AFTER 4
/* Register requests under way, at most. */
#define CIOCTL_REQUESTS_MAX 8
/* Upper bounds of the latency histogram: 1, 2, 5, 10 ... 1,000,000 us, and an open one. */
#define CIOCTL_BUCKETS 20
/* Polling intervals: 1 ms to 60 s. */
#define CIOCTL_INTERVAL_MIN_NS 1000000LL
#define CIOCTL_INTERVAL_MAX_NS 60000000000LL
/* A port that fails three times in a row, or has never answered, is asked this often at most. */
#define CIOCTL_RETRY_NS 1000000000LL
/* Speed, duplex and autonegotiation of a port are looked at this often, one port between two sweeps. */
#define CIOCTL_RENEW_NS 2000000000LL
/* The kernel's internal ENOTSUPP, which some drivers leak to user space. */
#define CIOCTL_ENOTSUPP 524

/* MARK: kernel.c */

/* What ethtool says of a link. */
struct cioctl_settings {
    /* Mb/s; -1: unknown. */
    int32_t speed;
    /* DUPLEX_HALF 0, DUPLEX_FULL 1; anything else: unknown. */
    uint8_t duplex;
    /* AUTONEG_DISABLE 0, AUTONEG_ENABLE 1. */
    uint8_t autoneg;
};

/* The questions. Each function returns its answer, 0 or more, or -errno; all of them may block. */
struct cioctl_backend {
    void *context;
    /* The name that this ifindex has now; never makes the kernel load a module. -ENODEV: there is no such interface. */
    int (*name)(void *context, uint32_t ifindex, char ifname[CIOCTL_NAME_SIZE]);
    /* SIOCGMIIPHY: the PHY's address. */
    int (*mii_phy)(void *context, const char *ifname);
    /* SIOCGMIIREG: one register's 16 bits. */
    int (*mii_register)(void *context, const char *ifname, uint16_t phy, uint16_t number);
    /* ETHTOOL_GLINK: 1 or 0. */
    int (*glink)(void *context, const char *ifname);
    /* RTM_GETLINK, IFLA_CARRIER: 1 or 0. Not sysfs: it shows the namespace of whoever mounted it, and no sure sign tells. */
    int (*netlink_carrier)(void *context, uint32_t ifindex);
    /* ETHTOOL_GLINKSETTINGS. */
    int (*settings)(void *context, const char *ifname, struct cioctl_settings *settings);
};

/* The kernel itself, for the network namespace of the calling thread. Close it with cioctl_kernel_close. */
int cioctl_kernel_open(struct cioctl_backend *backend);
void cioctl_kernel_close(struct cioctl_backend *backend);

/* MARK: probe.c */

/* What a probe has learned about how to ask, all zero at first. Reset when the name changes. */
struct cioctl_known {
    uint16_t phy;
    bool has_phy;
    /* The driver does not answer GLINK. */
    bool has_no_glink;
};

/* The interface to ask. Zero it, then set ifindex and ifname. */
struct cioctl_target {
    uint32_t ifindex;
    char ifname[CIOCTL_NAME_SIZE];
    struct cioctl_known known;
};

/* What came with the answer. */
struct cioctl_reading {
    uint16_t bmsr;
    /* The link is up and was down since the register was last read: BMSR.LSTATUS latches low and clears on read. */
    bool latched;
    /* System calls that this took. */
    uint16_t calls;
    /* How the question was asked: a literal. NULL: it was not asked. */
    const char *method;
};

/* A source of evidence that is polled: its name, as in the table of Sources/LinkState/EvidenceSource.swift, and one poll,
 * which returns 1 for up, 0 for down, or -errno. */
struct cioctl_probe {
    const char *name;
    int (*poll)(const struct cioctl_backend *backend, struct cioctl_target *target, struct cioctl_reading *reading);
};

/* A source is known by its place in this table. In the order of the other table. */
#define CIOCTL_SOURCES_MAX 8
extern const struct cioctl_probe cioctl_probes[];
extern const size_t cioctl_source_count;
/* The table's names, for those who cannot see an array without a size. */
const char *cioctl_source_name(size_t source);

/* The first: the PHY's registers, of which one latches. */
#define CIOCTL_MII 0
#define CIOCTL_DRIVER 1

/* A poll whose answer may be published: unless it is `expected`, what was published last, the name is checked against
 * the ifindex, and a renamed port is asked again by its new name. Nothing is asked of a name that was not checked or
 * did not answer the last time: an ioctl on an absent name can make the kernel try to load a module.
 * -ENODEV: the interface is gone. */
int cioctl_poll_checked(
    const struct cioctl_backend *backend, size_t source, struct cioctl_target *target, int expected,
    struct cioctl_reading *reading);

/* Whether this errno (positive) means that the port does not support the question, rather than that it failed this
 * time. */
bool cioctl_is_unsupported(int error);

/* Registers 0 to 15. */
struct cioctl_registers {
    uint16_t phy;
    /* [1] is the second reading, the link now; a register that could not be read is 0. */
    uint16_t value[16];
    /* BMSR as it was read first: the link since the last reading. */
    uint16_t bmsr_first;
};

/* Reads them now, on this thread. Clears BMSR's latch, as every reader does. */
int cioctl_read_registers(
    const struct cioctl_backend *backend, uint32_t ifindex, struct cioctl_registers *registers);

/* What ethtool says of this interface's link. */
int cioctl_read_settings(
    const struct cioctl_backend *backend, uint32_t ifindex, struct cioctl_settings *settings);

/* What speed, duplex and autonegotiation follow from, without what a reading clears: equal ones say the same. */
struct cioctl_digest {
    struct cioctl_settings settings;
    /* BMCR, ANAR, ANLPAR, CTRL1000, STAT1000; 0 where they are not read. */
    uint16_t registers[5];
};

/* Reads it; what cannot be read is as if it said nothing. With has_mii the PHY is asked as well. */
void cioctl_read_digest(
    const struct cioctl_backend *backend, uint32_t ifindex, bool has_mii, struct cioctl_digest *digest);

/* MARK: sweep.c */

struct cioctl_sweep;

/* What one source says of one port. */
enum cioctl_outcome { CIOCTL_UNKNOWN, CIOCTL_UP, CIOCTL_DOWN, CIOCTL_UNSUPPORTED, CIOCTL_FAILED };

struct cioctl_port {
    uint32_t ifindex;
    char ifname[CIOCTL_NAME_SIZE];
    /* Which sources are asked: bit 0 for the first of cioctl_probes, and so on. */
    uint32_t sources;
};

/* A change. There is one slot per port and source, so nothing is lost and nothing grows: what changes again before it
 * is drained is one report, and a down that is over by then is counted as a drop. */
struct cioctl_report {
    uint32_t ifindex;
    uint32_t source;
    enum cioctl_outcome outcome;
    /* Positive; 0 unless unsupported or failed. */
    int error;
    /* How it was asked last: a literal. NULL: not yet. */
    const char *method;
    uint16_t bmsr;
    /* Times the link was down and came back unseen since the last report. */
    uint32_t drops;
    /* The fields above have not changed; speed, duplex or autonegotiation may have. */
    bool is_renewal;
    /* CLOCK_MONOTONIC, when the answer was there. */
    int64_t at_ns;
};

/* An answer to cioctl_sweep_request_registers. */
struct cioctl_registers_report {
    uint64_t id;
    uint32_t ifindex;
    /* 0 or -errno; -ETIMEDOUT: the ioctl has not come back. */
    int result;
    struct cioctl_registers registers;
    /* 0 or -errno, and what ethtool says; independent of the registers. */
    int settings_result;
    struct cioctl_settings settings;
    int64_t at_ns;
};

/* Counters of one source since the start. */
struct cioctl_statistics {
    uint32_t ports;
    int64_t interval_ns;
    uint64_t polls;
    /* System calls, the name checks included. */
    uint64_t calls;
    /* Sweeps that were not finished when the next one was due. Missed sweeps are skipped; later ones keep their
     * times. */
    uint64_t overruns;
    /* How long the longest stuck poll has been waiting; 0: none is stuck. */
    int64_t stuck_ns;
    uint32_t stuck_ports;
    int64_t latency_max_ns;
    int64_t latency_sum_ns;
    uint64_t latency[CIOCTL_BUCKETS];
};

/* Upper bound of a bucket in microseconds; 0: open. */
uint32_t cioctl_bucket_us(size_t bucket);

struct cioctl_options {
    /* By source. */
    int64_t interval_ns[CIOCTL_SOURCES_MAX];
    /* A poll that takes longer is stuck, and another thread goes on with the others; 1 ms to 10 s. */
    int64_t stuck_after_ns;
    /* NULL: the kernel. Copied; what context points to must outlive every poll. */
    const struct cioctl_backend *backend;
};

/* Starts the thread, which sleeps until there are ports. Capabilities and scheduling are those of the calling thread, as
 * they are now: drop the ones and set the other first. */
int cioctl_sweep_create(const struct cioctl_options *options, struct cioctl_sweep **sweep);

/* Ends it. Returns within stuck_after_ns; a thread that is stuck in the kernel ends, and frees the rest, when it can. */
void cioctl_sweep_destroy(struct cioctl_sweep *sweep);

/* An eventfd, readable when there is something to drain. */
int cioctl_sweep_notify_fd(const struct cioctl_sweep *sweep);

/* A timerfd, readable when a poll may be stuck: call cioctl_sweep_handle_watchdog then. */
int cioctl_sweep_watchdog_fd(const struct cioctl_sweep *sweep);

/* These are all the ports from now on, in any order. A port that is known keeps its state; a new name makes it be asked
 * from the beginning. -E2BIG, -EINVAL (an ifindex of 0 or twice), -ENOMEM: nothing has changed. */
int cioctl_sweep_set_ports(struct cioctl_sweep *sweep, const struct cioctl_port *ports, size_t count);

/* Asks a port from the beginning, whatever it answered before: for an interface that was set up. */
void cioctl_sweep_refresh(struct cioctl_sweep *sweep, uint32_t ifindex);

int cioctl_sweep_set_interval(struct cioctl_sweep *sweep, size_t source, int64_t interval_ns);

/* Takes up to `max` reports. Fewer than `max`: that was all. */
size_t cioctl_sweep_drain(struct cioctl_sweep *sweep, struct cioctl_report *reports, size_t max);

/* Asks for the registers of a port, which need not be one of the sweep's. They are read one at a time
 * between sweeps, so that no number of requests starves the polls. -EAGAIN: too many are under way, or all threads are
 * stuck. */
int cioctl_sweep_request_registers(struct cioctl_sweep *sweep, uint32_t ifindex, uint64_t *id);

/* Takes one answer: 1, or 0 when there is none. */
int cioctl_sweep_next_registers(struct cioctl_sweep *sweep, struct cioctl_registers_report *report);

/* If the poll under way is stuck: gives the other ports a new thread, which reports the stuck one as failed (ETIMEDOUT)
 * if it is for longer. When no thread is left, all of them are reported so, until the first one comes back. */
void cioctl_sweep_handle_watchdog(struct cioctl_sweep *sweep);

/* When the source last said up or down on that port, CLOCK_MONOTONIC; 0: never. */
int64_t cioctl_sweep_confirmed_ns(struct cioctl_sweep *sweep, uint32_t ifindex, size_t source);

void cioctl_sweep_statistics(struct cioctl_sweep *sweep, size_t source, struct cioctl_statistics *statistics);

#endif
