/* Internals of the sweep, shared by sweep.c (threads, time) and ports.c (ports, changes). Everything below is
 * guarded by `lock`, which is never held during a question to the kernel. */
#ifndef CIOCTL_SWEEP_H
#define CIOCTL_SWEEP_H

#include "cioctl.h"

#include <pthread.h>
#include <time.h>

static const int64_t second_ns = 1000000000;

static inline int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second_ns + now.tv_nsec;
}

/* The next point of the grid of this interval. */
static inline int64_t grid_after(int64_t now_ns, int64_t interval_ns) {
    return (now_ns / interval_ns + 1) * interval_ns;
}

/* One port and one source. A worker keeps no pointer to it while it asks, only (source, ifindex, serial): the port may be
 * gone, or be asked anew, when the answer comes. */
struct probe {
    struct cioctl_target target;
    uint64_t serial;
    /* Asked from the beginning at once, without waiting for the next sweep. */
    bool is_fresh;
    /* A worker is asking. */
    bool is_running;
    /* It has once said up or down: from then on an error is a failure, before it is just not supported. */
    bool has_answered;
    uint32_t failures;
    /* Not before; INT64_MAX: not at all, until it is named anew. */
    int64_t retry_ns;
    int64_t confirmed_ns;
    /* The state now, and whether it is still to be drained. */
    struct cioctl_report word;
    bool is_pending;
    /* The down that is still to be drained came after an up that was reported. */
    bool is_drop;
    /* Speed, duplex and autonegotiation when they were last looked at, and whether a change is still to be drained. */
    struct cioctl_digest digest;
    bool has_digest;
    bool is_renewed;
    int64_t renew_ns; /* not before */
};

/* All the probes of one source, and the sweep over them. */
struct lane {
    struct probe *probes; /* by ifindex */
    size_t count;
    int64_t interval_ns;
    /* The next point of the grid, which is the multiples of the interval: nothing can drift. */
    int64_t due_ns;
    bool has_fresh;
    /* The sweep under way, kept here so that another thread can go on with it. */
    bool is_sweeping;
    bool is_full; /* otherwise only what is fresh */
    uint64_t cursor; /* the first ifindex still to come */
    struct cioctl_statistics statistics;
};

enum request_state { REQUEST_FREE, REQUEST_WAITING, REQUEST_RUNNING, REQUEST_DONE };

struct request {
    enum request_state state;
    struct cioctl_registers_report report;
};

/* What a worker is doing outside of the lock. */
struct job {
    bool is_running;
    int64_t started_ns;
    /* A poll, or, with a request_id, registers. */
    uint64_t request_id;
    uint32_t source;
    uint64_t serial;
    int expected;
    struct cioctl_target target;
    struct cioctl_reading reading;
};

struct worker {
    struct cioctl_sweep *sweep;
    bool is_used;
    bool is_stuck;
    bool is_told; /* that it is stuck, to whoever waits for its answer */
    struct job job;
};

struct cioctl_sweep {
    pthread_mutex_t lock;
    /* Signalled when there is something new to do, and when a worker ends. */
    pthread_cond_t changed;
    struct cioctl_backend backend;
    bool owns_backend;
    int notify_fd;
    int watchdog_fd;
    int64_t watchdog_ns; /* armed for; 0: not */
    int64_t stuck_after_ns;
    bool is_stopping;
    size_t owners; /* the caller and every worker */
    struct worker workers[CIOCTL_WORKERS_MAX];
    struct worker *active; /* NULL: all of them are stuck */
    struct lane lanes[CIOCTL_SOURCES_MAX];
    size_t turn; /* the lane that asks next, so that a slow one cannot starve the others */
    uint64_t next_serial;
    uint64_t next_request_id;
    bool is_requests_turn; /* a sweep has ended since the last one */
    struct request requests[CIOCTL_REQUESTS_MAX];
    /* The port whose speed is looked at next. */
    size_t renew_source;
    uint64_t renew_from;
};

/* ports.c */

/* The probe that an answer belongs to; NULL: it is gone. */
struct probe *sweep_find(struct cioctl_sweep *sweep, size_t source, uint32_t ifindex);

/* The next one to ask in the sweep under way; NULL: that was the last. */
struct probe *sweep_next(struct lane *lane, int64_t now_ns);

/* Takes an answer: 1, 0 or -errno. */
void sweep_settle(struct cioctl_sweep *sweep, const struct job *job, int result, int64_t now_ns);

/* The poll has not come back in time. */
void sweep_tell_stuck(struct cioctl_sweep *sweep, struct probe *probe, int64_t now_ns);

/* A register reading showed that this port's link has blinked. */
void sweep_tell_drop(struct cioctl_sweep *sweep, uint32_t ifindex, int64_t now_ns);

/* The port whose speed, duplex and autonegotiation are to be looked at; NULL: it is too early. */
struct probe *sweep_next_renewal(struct cioctl_sweep *sweep, int64_t now_ns);

/* They were looked at. */
void sweep_renewed(struct cioctl_sweep *sweep, struct probe *probe, const struct cioctl_digest *digest, int64_t now_ns);

/* Makes the notify descriptor readable. */
void sweep_notify(struct cioctl_sweep *sweep);

#endif
