/* The ports of a sweep: which of them are due, what they answered, and which answers are new.
 *
 * Only changes are reported. Each probe has one slot for its state, so the queue to the reader cannot overflow: a
 * state that changes twice before it is drained is reported once, as it is now, and a link that went down and came
 * back in between is reported as a drop. An unchanged answer costs a timestamp. */
#include "sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* This many failures are followed by another poll at the next sweep; after more, the port is polled at the slow
 * pace. One lost answer is no reason to pause for a second, but a dead bus must not be polled at full speed. */
enum { QUICK_RETRIES = 2 };

void sweep_notify(struct cioctl_sweep *sweep) {
    uint64_t one = 1;
    /* EAGAIN: it is readable already. */
    ssize_t written = write(sweep->notify_fd, &one, sizeof one);
    (void)written;
}

/* MARK: Finding */

static size_t lower_bound(const struct lane *lane, uint64_t ifindex) {
    size_t low = 0, high = lane->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lane->probes[middle].target.ifindex < ifindex) low = middle + 1;
        else high = middle;
    }
    return low;
}

struct probe *sweep_find(struct cioctl_sweep *sweep, size_t source, uint32_t ifindex) {
    struct lane *lane = &sweep->lanes[source];
    size_t index = lower_bound(lane, ifindex);
    if (index == lane->count || lane->probes[index].target.ifindex != ifindex) return NULL;
    return &lane->probes[index];
}

struct probe *sweep_next(struct lane *lane, int64_t now_ns) {
    for (size_t index = lower_bound(lane, lane->cursor); index < lane->count; index++) {
        struct probe *probe = &lane->probes[index];
        if (probe->is_running) continue;
        if (!probe->is_fresh && !(lane->is_full && probe->retry_ns <= now_ns)) continue;
        lane->cursor = (uint64_t)probe->target.ifindex + 1;
        return probe;
    }
    return NULL;
}

/* MARK: Telling */

/* Up again before the down was reported: a drop, not two changes. */
static void count_drop(struct probe *probe, enum cioctl_outcome next) {
    enum cioctl_outcome last = probe->word.outcome;
    if (last == CIOCTL_UP && next == CIOCTL_DOWN) probe->is_drop = true;
    if (last == CIOCTL_DOWN && next == CIOCTL_UP && probe->is_drop) {
        probe->word.drops++;
        probe->is_drop = false;
    }
}

static void tell(
    struct cioctl_sweep *sweep, struct probe *probe, enum cioctl_outcome outcome, int error, int64_t now_ns) {
    count_drop(probe, outcome);
    probe->word.outcome = outcome;
    probe->word.error = error;
    probe->word.at_ns = now_ns;
    probe->is_pending = true;
    sweep_notify(sweep);
}

void sweep_tell_drop(struct cioctl_sweep *sweep, uint32_t ifindex, int64_t now_ns) {
    struct probe *probe = sweep_find(sweep, CIOCTL_MII, ifindex);
    /* The latch is also set when a link comes up: it is a blink only if the link was up before and after. */
    if (!probe || probe->word.outcome != CIOCTL_UP) return;
    probe->word.drops++;
    tell(sweep, probe, CIOCTL_UP, 0, now_ns);
}

void sweep_tell_stuck(struct cioctl_sweep *sweep, struct probe *probe, int64_t now_ns) {
    if (probe->word.outcome == CIOCTL_FAILED && probe->word.error == ETIMEDOUT) return;
    tell(sweep, probe, CIOCTL_FAILED, ETIMEDOUT, now_ns);
}

/* MARK: Settling */

static void settle_state(struct cioctl_sweep *sweep, struct probe *probe, const struct job *job, int up, int64_t now_ns) {
    enum cioctl_outcome outcome = up ? CIOCTL_UP : CIOCTL_DOWN;
    probe->has_answered = true;
    probe->failures = 0;
    probe->retry_ns = 0;
    probe->confirmed_ns = now_ns;
    probe->word.bmsr = job->reading.bmsr;
    if (job->reading.latched) sweep_tell_drop(sweep, job->target.ifindex, now_ns);
    if (probe->word.outcome != outcome) tell(sweep, probe, outcome, 0, now_ns);
}

/* A port that does not support the question is not asked again until it is named anew. A port that once answered may
 * say EOPNOTSUPP while it is down (phylib without a PHY attached), which passes. An interface that is gone costs one
 * SIOCGIFNAME per second until the owner removes it. */
static int64_t retry_ns(const struct probe *probe, int error, int64_t now_ns) {
    if (!probe->has_answered && cioctl_is_unsupported(error)) return INT64_MAX;
    if (probe->has_answered && probe->failures <= QUICK_RETRIES) return 0;
    return now_ns + CIOCTL_RETRY_NS;
}

static void settle_error(struct cioctl_sweep *sweep, struct probe *probe, int error, int64_t now_ns) {
    enum cioctl_outcome outcome = probe->has_answered ? CIOCTL_FAILED : CIOCTL_UNSUPPORTED;
    if (probe->failures < UINT32_MAX) probe->failures++;
    probe->retry_ns = retry_ns(probe, error, now_ns);
    if (probe->word.outcome != outcome || probe->word.error != error) tell(sweep, probe, outcome, error, now_ns);
}

void sweep_settle(struct cioctl_sweep *sweep, const struct job *job, int result, int64_t now_ns) {
    struct probe *probe = sweep_find(sweep, job->source, job->target.ifindex);
    if (!probe || probe->serial != job->serial) return;
    probe->is_running = false;
    probe->target = job->target;
    if (job->reading.method) probe->word.method = job->reading.method;
    if (result >= 0) settle_state(sweep, probe, job, result, now_ns);
    else settle_error(sweep, probe, -result, now_ns);
}

/* MARK: Renewing */

static bool is_in_later_lane(struct cioctl_sweep *sweep, size_t source, uint32_t ifindex) {
    while (++source < cioctl_source_count)
        if (sweep_find(sweep, source, ifindex)) return true;
    return false;
}

/* Each port is handled once, in the last of its lanes. They all have the same period, so if this one is not due, the
 * following ones are not either. */
struct probe *sweep_next_renewal(struct cioctl_sweep *sweep, int64_t now_ns) {
    for (size_t turn = 0; turn <= cioctl_source_count; turn++) {
        struct lane *lane = &sweep->lanes[sweep->renew_source];
        for (size_t index = lower_bound(lane, sweep->renew_from); index < lane->count; index++) {
            struct probe *probe = &lane->probes[index];
            uint32_t ifindex = probe->target.ifindex;
            if (is_in_later_lane(sweep, sweep->renew_source, ifindex)) continue;
            if (probe->is_running || probe->word.outcome == CIOCTL_UNKNOWN) continue;
            if (probe->renew_ns > now_ns) return NULL;
            sweep->renew_from = (uint64_t)ifindex + 1;
            return probe;
        }
        sweep->renew_source = (sweep->renew_source + 1) % cioctl_source_count;
        sweep->renew_from = 0;
    }
    return NULL;
}

void sweep_renewed(
    struct cioctl_sweep *sweep, struct probe *probe, const struct cioctl_digest *digest, int64_t now_ns) {
    probe->renew_ns = now_ns + CIOCTL_RENEW_NS;
    if (probe->has_digest && memcmp(&probe->digest, digest, sizeof *digest) == 0) return;
    probe->digest = *digest;
    probe->has_digest = true;
    probe->is_renewed = true;
    sweep_notify(sweep);
}

/* MARK: From the owner */

static void make_fresh(struct cioctl_sweep *sweep, struct probe *probe) {
    probe->serial = ++sweep->next_serial;
    probe->target.known = (struct cioctl_known){0};
    probe->is_fresh = true;
    probe->is_running = false;
    probe->failures = 0;
    probe->retry_ns = 0;
    sweep->lanes[probe->word.source].has_fresh = true;
}

static struct probe carry_over(struct cioctl_sweep *sweep, uint32_t source, const struct cioctl_port *port) {
    struct probe *old = sweep_find(sweep, source, port->ifindex);
    if (old && strncmp(old->target.ifname, port->ifname, CIOCTL_NAME_SIZE) == 0) return *old;
    /* It is asked again in any case when it comes up. */
    struct probe probe = {
        .word = {.ifindex = port->ifindex, .source = source}, .renew_ns = clock_ns() + CIOCTL_RENEW_NS};
    if (old) probe = *old;
    probe.target.ifindex = port->ifindex;
    memcpy(probe.target.ifname, port->ifname, CIOCTL_NAME_SIZE);
    probe.target.ifname[CIOCTL_NAME_SIZE - 1] = 0;
    make_fresh(sweep, &probe);
    return probe;
}

static void replace_probes(
    struct cioctl_sweep *sweep, uint32_t source, const struct cioctl_port *ports, size_t count,
    struct probe *probes) {
    struct lane *lane = &sweep->lanes[source];
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (ports[i].sources >> source & 1) probes[used++] = carry_over(sweep, source, &ports[i]);
    if (lane->count == 0) lane->due_ns = grid_after(clock_ns(), lane->interval_ns);
    free(lane->probes);
    lane->probes = probes;
    lane->count = used;
}

static int by_ifindex(const void *left, const void *right) {
    uint32_t a = ((const struct cioctl_port *)left)->ifindex, b = ((const struct cioctl_port *)right)->ifindex;
    return (a > b) - (a < b);
}

/* A sorted copy; NULL with errno. */
static struct cioctl_port *sorted(const struct cioctl_port *ports, size_t count) {
    struct cioctl_port *copy = malloc((count ? count : 1) * sizeof *copy);
    if (!copy) return NULL;
    if (count) memcpy(copy, ports, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, by_ifindex);
    for (size_t i = 0; i < count; i++)
        if (copy[i].ifindex == 0 || (i > 0 && copy[i].ifindex == copy[i - 1].ifindex)) {
            free(copy);
            errno = EINVAL;
            return NULL;
        }
    return copy;
}

/* Room for every port in every lane. */
static bool allocate(struct probe **probes, size_t count) {
    for (size_t source = 0; source < cioctl_source_count; source++) {
        probes[source] = calloc(count ? count : 1, sizeof *probes[source]);
        if (probes[source]) continue;
        while (source-- > 0) free(probes[source]);
        return false;
    }
    return true;
}

int cioctl_sweep_set_ports(struct cioctl_sweep *sweep, const struct cioctl_port *ports, size_t count) {
    if (count > CIOCTL_PORTS_MAX) return -E2BIG;
    struct cioctl_port *copy = sorted(ports, count);
    if (!copy) return -errno;
    struct probe *probes[CIOCTL_SOURCES_MAX];
    if (!allocate(probes, count)) {
        free(copy);
        return -ENOMEM;
    }
    pthread_mutex_lock(&sweep->lock);
    for (uint32_t source = 0; source < cioctl_source_count; source++)
        replace_probes(sweep, source, copy, count, probes[source]);
    pthread_cond_broadcast(&sweep->changed);
    pthread_mutex_unlock(&sweep->lock);
    free(copy);
    return 0;
}

void cioctl_sweep_refresh(struct cioctl_sweep *sweep, uint32_t ifindex) {
    pthread_mutex_lock(&sweep->lock);
    for (size_t source = 0; source < cioctl_source_count; source++) {
        struct probe *probe = sweep_find(sweep, source, ifindex);
        if (probe) make_fresh(sweep, probe);
    }
    pthread_cond_broadcast(&sweep->changed);
    pthread_mutex_unlock(&sweep->lock);
}

int64_t cioctl_sweep_confirmed_ns(struct cioctl_sweep *sweep, uint32_t ifindex, size_t source) {
    pthread_mutex_lock(&sweep->lock);
    struct probe *probe = sweep_find(sweep, source, ifindex);
    int64_t confirmed_ns = probe ? probe->confirmed_ns : 0;
    pthread_mutex_unlock(&sweep->lock);
    return confirmed_ns;
}

static void take(struct probe *probe, struct cioctl_report *report) {
    *report = probe->word;
    report->is_renewal = !probe->is_pending;
    probe->is_renewed = false;
    probe->word.drops = 0;
    probe->is_pending = false;
    probe->is_drop = false;
}

size_t cioctl_sweep_drain(struct cioctl_sweep *sweep, struct cioctl_report *reports, size_t max) {
    uint64_t count;
    size_t used = 0;
    ssize_t got = read(sweep->notify_fd, &count, sizeof count);
    (void)got;
    pthread_mutex_lock(&sweep->lock);
    for (size_t source = 0; source < cioctl_source_count; source++)
        for (size_t i = 0; i < sweep->lanes[source].count && used < max; i++) {
            struct probe *probe = &sweep->lanes[source].probes[i];
            if (probe->is_pending || probe->is_renewed) take(probe, &reports[used++]);
        }
    pthread_mutex_unlock(&sweep->lock);
    return used;
}
