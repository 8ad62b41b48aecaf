/* The sweep: one thread that asks every port when it is due, and a watchdog for the day that the kernel does not answer.
 *
 * Time. Each source has a grid of its own, the multiples of its interval on CLOCK_MONOTONIC; a sweep starts at a point of
 * the grid and the next one at the first point that is still to come. Nothing can drift, equal intervals share their wake-ups,
 * and a sweep that takes too long skips points and is counted.
 *
 * Being stuck. The questions take RTNL and can block for as long as anyone holds it. So there is a watchdog, a timerfd:
 *   - The worker arms it before a question, unless it is armed for long enough, and before a long sleep for the question
 *     after that. A healthy sweep therefore wakes nobody.
 *   - The owner's event loop watches it. When it fires and the question has been open for too long, the owner starts another
 *     worker, which goes on with the other ports.
 *   - The stuck worker delivers its answer when it comes, and ends. The port rejoins. If the answer is not there by four
 *     times that time, the port is reported as failed; before that it is no news, as others hold RTNL for a moment now and
 *     then.
 * When all workers are stuck, every port is reported as failed, and the first worker to come back goes on.
 *
 * Lock. One mutex around everything, never held during a question; the owner's calls therefore never wait for the kernel. */
#include "sweep.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Enough for the beginning of an RTM_GETLINK answer and a sanitizer's red zones; only touched pages cost anything. */
enum { STACK_SIZE = 256 * 1024 };

static struct timespec timespec_of(int64_t ns) {
    return (struct timespec){.tv_sec = ns / second_ns, .tv_nsec = ns % second_ns};
}

/* MARK: Watchdog */

static void arm_watchdog(struct cioctl_sweep *sweep, int64_t at_ns) {
    struct itimerspec timer = {.it_value = timespec_of(at_ns)};
    sweep->watchdog_ns = at_ns;
    timerfd_settime(sweep->watchdog_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* Arms the watchdog before a question. It costs at most one system call in half the time that a question may take.
 * If the timer was armed for an earlier question, its handler arms it again. */
static void guard(struct cioctl_sweep *sweep, int64_t now_ns) {
    if (sweep->watchdog_ns < now_ns + sweep->stuck_after_ns / 2) arm_watchdog(sweep, now_ns + sweep->stuck_after_ns);
}

static int start_worker(struct cioctl_sweep *sweep);

static struct request *find_request(struct cioctl_sweep *sweep, uint64_t id) {
    for (size_t i = 0; i < CIOCTL_REQUESTS_MAX; i++)
        if (sweep->requests[i].state != REQUEST_FREE && sweep->requests[i].report.id == id) return &sweep->requests[i];
    return NULL;
}

static void finish_request(struct cioctl_sweep *sweep, struct request *request, int result, int64_t now_ns) {
    request->state = REQUEST_DONE;
    request->report.result = result;
    request->report.at_ns = now_ns;
    sweep_notify(sweep);
}

static void tell_stuck(struct cioctl_sweep *sweep, const struct job *job, int64_t now_ns) {
    struct probe *probe = sweep_find(sweep, job->source, job->target.ifindex);
    if (probe && probe->serial == job->serial) sweep_tell_stuck(sweep, probe, now_ns);
}

/* Reports polls that have been stuck for long enough; returns when the next one will have been. */
static int64_t tell_overdue(struct cioctl_sweep *sweep, int64_t now_ns) {
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < CIOCTL_WORKERS_MAX; i++) {
        struct worker *worker = &sweep->workers[i];
        if (!worker->is_used || !worker->is_stuck || worker->is_told) continue;
        int64_t at_ns = worker->job.started_ns + CIOCTL_TOLD_AFTER * sweep->stuck_after_ns;
        worker->is_told = at_ns <= now_ns;
        if (worker->is_told) tell_stuck(sweep, &worker->job, now_ns);
        else if (at_ns < next_ns) next_ns = at_ns;
    }
    return next_ns;
}

/* All workers are stuck: no poll can be made. */
static void tell_all_stuck(struct cioctl_sweep *sweep, int64_t now_ns) {
    for (size_t source = 0; source < cioctl_source_count; source++)
        for (size_t i = 0; i < sweep->lanes[source].count; i++)
            sweep_tell_stuck(sweep, &sweep->lanes[source].probes[i], now_ns);
    for (size_t i = 0; i < CIOCTL_REQUESTS_MAX; i++)
        if (sweep->requests[i].state == REQUEST_WAITING)
            finish_request(sweep, &sweep->requests[i], -ETIMEDOUT, now_ns);
}

static void replace_worker(struct cioctl_sweep *sweep, struct worker *stuck, int64_t now_ns) {
    struct request *request = find_request(sweep, stuck->job.request_id);
    stuck->is_stuck = true;
    stuck->is_told = stuck->job.request_id != 0;
    sweep->active = NULL;
    if (request && request->state == REQUEST_RUNNING) finish_request(sweep, request, -ETIMEDOUT, now_ns);
    if (start_worker(sweep) < 0) tell_all_stuck(sweep, now_ns);
}

void cioctl_sweep_handle_watchdog(struct cioctl_sweep *sweep) {
    uint64_t expirations;
    ssize_t got = read(sweep->watchdog_fd, &expirations, sizeof expirations);
    (void)got;
    pthread_mutex_lock(&sweep->lock);
    struct worker *worker = sweep->active;
    if (worker && worker->job.is_running && !sweep->is_stopping) {
        int64_t now_ns = clock_ns(), deadline_ns = worker->job.started_ns + sweep->stuck_after_ns;
        if (deadline_ns <= now_ns) replace_worker(sweep, worker, now_ns);
        /* Armed for an earlier question. */
        else arm_watchdog(sweep, deadline_ns);
    }
    pthread_mutex_unlock(&sweep->lock);
}

/* MARK: One question */

static size_t bucket_of(int64_t ns) {
    size_t bucket = 0;
    while (bucket < CIOCTL_BUCKETS - 1 && ns > (int64_t)cioctl_bucket_us(bucket) * 1000) bucket++;
    return bucket;
}

static void count_poll(struct lane *lane, const struct job *job, int64_t now_ns) {
    struct cioctl_statistics *statistics = &lane->statistics;
    int64_t latency_ns = now_ns - job->started_ns;
    statistics->polls++;
    statistics->calls += job->reading.calls;
    statistics->latency_sum_ns += latency_ns;
    if (latency_ns > statistics->latency_max_ns) statistics->latency_max_ns = latency_ns;
    statistics->latency[bucket_of(latency_ns)]++;
}

/* The state that was reported last; -1: none, so the name is checked before anything is asked. */
static int expected_of(const struct probe *probe) {
    if (probe->is_fresh) return -1;
    if (probe->word.outcome == CIOCTL_UP) return 1;
    return probe->word.outcome == CIOCTL_DOWN ? 0 : -1;
}

static int64_t run_poll(struct worker *worker, uint32_t source, struct probe *probe, int64_t now_ns) {
    struct cioctl_sweep *sweep = worker->sweep;
    struct job *job = &worker->job;
    *job = (struct job){
        .is_running = true,
        .started_ns = now_ns,
        .source = source,
        .serial = probe->serial,
        .expected = expected_of(probe),
        .target = probe->target,
    };
    probe->is_running = true;
    probe->is_fresh = false;
    /* The watchdog reads the job's identity meanwhile, so the question gets a target of its own. */
    struct cioctl_target target = job->target;
    struct cioctl_reading reading = {0};
    guard(sweep, now_ns);
    pthread_mutex_unlock(&sweep->lock);
    int result = cioctl_poll_checked(&sweep->backend, source, &target, job->expected, &reading);
    now_ns = clock_ns();
    pthread_mutex_lock(&sweep->lock);
    job->is_running = false;
    job->target = target;
    job->reading = reading;
    count_poll(&sweep->lanes[source], job, now_ns);
    sweep_settle(sweep, job, result, now_ns);
    return now_ns;
}

static int64_t run_request(struct worker *worker, struct request *request, int64_t now_ns) {
    struct cioctl_sweep *sweep = worker->sweep;
    uint64_t id = request->report.id;
    uint32_t ifindex = request->report.ifindex;
    struct cioctl_registers registers;
    struct cioctl_settings settings;
    worker->job = (struct job){.is_running = true, .started_ns = now_ns, .request_id = id};
    request->state = REQUEST_RUNNING;
    guard(sweep, now_ns);
    pthread_mutex_unlock(&sweep->lock);
    int result = cioctl_read_registers(&sweep->backend, ifindex, &registers);
    int settings_result = cioctl_read_settings(&sweep->backend, ifindex, &settings);
    now_ns = clock_ns();
    pthread_mutex_lock(&sweep->lock);
    worker->job.is_running = false;
    /* This reading has cleared BMSR's latch: the sweep must be told what it said. */
    if (result == 0 && (registers.bmsr_first ^ registers.value[1]) & 0x0004) sweep_tell_drop(sweep, ifindex, now_ns);
    request = find_request(sweep, id);
    if (!request || request->state != REQUEST_RUNNING) return now_ns;
    request->report.registers = registers;
    request->report.settings_result = settings_result;
    request->report.settings = settings;
    finish_request(sweep, request, result, now_ns);
    return now_ns;
}

/* A renewal is stuck as a request is: nobody waits for it. No request has this number. */
static const uint64_t renewal_id = UINT64_MAX;

/* Whether speed, duplex and autonegotiation are what they were: not every change of them takes the link away. */
static int64_t run_renewal(struct worker *worker, struct probe *probe, int64_t now_ns) {
    struct cioctl_sweep *sweep = worker->sweep;
    uint32_t ifindex = probe->target.ifindex;
    uint32_t source = probe->word.source;
    uint64_t serial = probe->serial;
    const struct probe *mii = sweep_find(sweep, CIOCTL_MII, ifindex);
    bool has_mii = mii && mii->has_answered;
    struct cioctl_digest digest;
    worker->job = (struct job){.is_running = true, .started_ns = now_ns, .request_id = renewal_id};
    probe->renew_ns = now_ns + CIOCTL_RENEW_NS;
    guard(sweep, now_ns);
    pthread_mutex_unlock(&sweep->lock);
    cioctl_read_digest(&sweep->backend, ifindex, has_mii, &digest);
    now_ns = clock_ns();
    pthread_mutex_lock(&sweep->lock);
    worker->job.is_running = false;
    probe = sweep_find(sweep, source, ifindex);
    if (probe && probe->serial == serial) sweep_renewed(sweep, probe, &digest, now_ns);
    return now_ns;
}

static struct request *waiting_request(struct cioctl_sweep *sweep) {
    struct request *first = NULL;
    for (size_t i = 0; i < CIOCTL_REQUESTS_MAX; i++) {
        struct request *request = &sweep->requests[i];
        if (request->state == REQUEST_WAITING && (!first || request->report.id < first->report.id)) first = request;
    }
    return first;
}

/* MARK: A sweep */

static void start_lane(struct lane *lane, int64_t now_ns) {
    bool is_due = lane->count > 0 && now_ns >= lane->due_ns;
    if (lane->is_sweeping || !(is_due || lane->has_fresh)) return;
    lane->is_sweeping = true;
    lane->is_full = is_due;
    lane->has_fresh = false;
    lane->cursor = 0;
}

static void finish_lane(struct lane *lane, int64_t now_ns) {
    lane->is_sweeping = false;
    if (!lane->is_full) return;
    if (now_ns >= lane->due_ns + lane->interval_ns) lane->statistics.overruns++;
    lane->due_ns = grid_after(now_ns, lane->interval_ns);
}

/* The registers of one port, if someone waits for them; else a look at what is known of another one. */
static bool step_request(struct worker *worker, int64_t *now_ns) {
    struct cioctl_sweep *sweep = worker->sweep;
    struct request *request = waiting_request(sweep);
    struct probe *renewal = request || !sweep->is_requests_turn ? NULL : sweep_next_renewal(sweep, *now_ns);
    sweep->is_requests_turn = false;
    if (request) *now_ns = run_request(worker, request, *now_ns);
    else if (renewal) *now_ns = run_renewal(worker, renewal, *now_ns);
    return request || renewal;
}

/* Asks one question, if one is due: returns true, and `now_ns` is when it was answered. Clients may request
 * registers as often as they like, so a sweep that is due goes first, and one request is answered between two
 * sweeps. */
static bool step(struct worker *worker, int64_t *now_ns) {
    struct cioctl_sweep *sweep = worker->sweep;
    if (sweep->is_requests_turn && step_request(worker, now_ns)) return true;
    for (size_t i = 0; i < cioctl_source_count; i++) {
        size_t next = sweep->turn + i;
        uint32_t source = (uint32_t)(next < cioctl_source_count ? next : next - cioctl_source_count);
        struct lane *lane = &sweep->lanes[source];
        start_lane(lane, *now_ns);
        if (!lane->is_sweeping) continue;
        struct probe *probe = sweep_next(lane, *now_ns);
        if (probe) {
            sweep->turn = source + 1 < cioctl_source_count ? source + 1 : 0;
            *now_ns = run_poll(worker, source, probe, *now_ns);
            return true;
        }
        finish_lane(lane, *now_ns);
        tell_overdue(sweep, *now_ns);
        sweep->is_requests_turn = true;
    }
    return step_request(worker, now_ns);
}

static bool has_work(const struct cioctl_sweep *sweep) {
    for (size_t source = 0; source < cioctl_source_count; source++)
        if (sweep->lanes[source].has_fresh) return true;
    return false;
}

static void sleep_until_due(struct cioctl_sweep *sweep) {
    int64_t due_ns = tell_overdue(sweep, clock_ns());
    for (size_t source = 0; source < cioctl_source_count; source++) {
        const struct lane *lane = &sweep->lanes[source];
        if (lane->count > 0 && lane->due_ns < due_ns) due_ns = lane->due_ns;
    }
    /* Arms the watchdog for the question after this sleep, which then need not do so. */
    if (sweep->watchdog_ns && sweep->watchdog_ns <= due_ns)
        arm_watchdog(sweep, due_ns == INT64_MAX ? 0 : due_ns + sweep->stuck_after_ns);
    if (due_ns == INT64_MAX) {
        pthread_cond_wait(&sweep->changed, &sweep->lock);
        return;
    }
    struct timespec until = timespec_of(due_ns);
    pthread_cond_timedwait(&sweep->changed, &sweep->lock, &until);
}

/* MARK: Workers */

/* The last owner frees; returns with the lock released. */
static void release(struct cioctl_sweep *sweep) {
    bool is_last = --sweep->owners == 0;
    pthread_cond_broadcast(&sweep->changed);
    pthread_mutex_unlock(&sweep->lock);
    if (!is_last) return;
    close(sweep->notify_fd);
    close(sweep->watchdog_fd);
    if (sweep->owns_backend) cioctl_kernel_close(&sweep->backend);
    for (size_t source = 0; source < cioctl_source_count; source++) free(sweep->lanes[source].probes);
    pthread_cond_destroy(&sweep->changed);
    pthread_mutex_destroy(&sweep->lock);
    free(sweep);
}

/* Back from the kernel: does this worker go on, or has another one taken over? */
static bool goes_on(struct worker *worker) {
    struct cioctl_sweep *sweep = worker->sweep;
    if (worker->is_stuck && !sweep->active) sweep->active = worker;
    worker->is_stuck = false;
    return !sweep->is_stopping && sweep->active == worker;
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    struct cioctl_sweep *sweep = worker->sweep;
    pthread_mutex_lock(&sweep->lock);
    while (goes_on(worker)) {
        int64_t now_ns = clock_ns();
        while (goes_on(worker) && step(worker, &now_ns)) continue;
        if (goes_on(worker) && !has_work(sweep)) sleep_until_due(sweep);
    }
    worker->is_used = false;
    release(sweep);
    return NULL;
}

static struct worker *free_worker(struct cioctl_sweep *sweep) {
    for (size_t i = 0; i < CIOCTL_WORKERS_MAX; i++)
        if (!sweep->workers[i].is_used) return &sweep->workers[i];
    return NULL;
}

/* With every signal blocked: signals belong to the owner's thread. */
static int spawn(struct worker *worker) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error) return -error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

/* Makes a new worker the active one; the lock is held. */
static int start_worker(struct cioctl_sweep *sweep) {
    struct worker *worker = free_worker(sweep);
    if (!worker) return -EAGAIN;
    *worker = (struct worker){.sweep = sweep, .is_used = true};
    sweep->owners++;
    sweep->active = worker;
    int result = spawn(worker);
    if (result == 0) return 0;
    worker->is_used = false;
    sweep->owners--;
    sweep->active = NULL;
    return result;
}

/* MARK: Life */

static bool is_interval(int64_t ns) { return ns >= CIOCTL_INTERVAL_MIN_NS && ns <= CIOCTL_INTERVAL_MAX_NS; }

static bool is_valid(const struct cioctl_options *options) {
    for (size_t source = 0; source < cioctl_source_count; source++)
        if (!is_interval(options->interval_ns[source])) return false;
    return options->stuck_after_ns >= CIOCTL_INTERVAL_MIN_NS && options->stuck_after_ns <= 10 * second_ns;
}

static int init_lock(struct cioctl_sweep *sweep) {
    pthread_condattr_t changed;
    pthread_condattr_init(&changed);
    pthread_condattr_setclock(&changed, CLOCK_MONOTONIC);
    int error = pthread_mutex_init(&sweep->lock, NULL);
    if (!error) error = pthread_cond_init(&sweep->changed, &changed);
    pthread_condattr_destroy(&changed);
    return -error;
}

static int open_descriptors(struct cioctl_sweep *sweep, const struct cioctl_backend *backend) {
    sweep->notify_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (sweep->notify_fd < 0) return -errno;
    sweep->watchdog_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (sweep->watchdog_fd < 0) return -errno;
    sweep->owns_backend = !backend;
    if (backend) sweep->backend = *backend;
    return backend ? 0 : cioctl_kernel_open(&sweep->backend);
}

static void abandon(struct cioctl_sweep *sweep) {
    if (sweep->notify_fd >= 0) close(sweep->notify_fd);
    if (sweep->watchdog_fd >= 0) close(sweep->watchdog_fd);
    free(sweep);
}

int cioctl_sweep_create(const struct cioctl_options *options, struct cioctl_sweep **created) {
    if (!is_valid(options)) return -EINVAL;
    struct cioctl_sweep *sweep = calloc(1, sizeof *sweep);
    if (!sweep) return -ENOMEM;
    sweep->notify_fd = sweep->watchdog_fd = -1;
    sweep->stuck_after_ns = options->stuck_after_ns;
    sweep->owners = 1;
    for (size_t source = 0; source < cioctl_source_count; source++)
        sweep->lanes[source].interval_ns = options->interval_ns[source];
    int result = init_lock(sweep);
    if (result == 0) result = open_descriptors(sweep, options->backend);
    if (result < 0) {
        abandon(sweep);
        return result;
    }
    pthread_mutex_lock(&sweep->lock);
    result = start_worker(sweep);
    if (result < 0) {
        release(sweep);
        return result;
    }
    pthread_mutex_unlock(&sweep->lock);
    *created = sweep;
    return 0;
}

static bool is_working(const struct cioctl_sweep *sweep) {
    for (size_t i = 0; i < CIOCTL_WORKERS_MAX; i++)
        if (sweep->workers[i].is_used && !sweep->workers[i].is_stuck) return true;
    return false;
}

void cioctl_sweep_destroy(struct cioctl_sweep *sweep) {
    struct timespec until = timespec_of(clock_ns() + sweep->stuck_after_ns);
    pthread_mutex_lock(&sweep->lock);
    sweep->is_stopping = true;
    pthread_cond_broadcast(&sweep->changed);
    while (is_working(sweep))
        if (pthread_cond_timedwait(&sweep->changed, &sweep->lock, &until) == ETIMEDOUT) break;
    release(sweep);
}

/* MARK: From the owner */

int cioctl_sweep_notify_fd(const struct cioctl_sweep *sweep) { return sweep->notify_fd; }

int cioctl_sweep_watchdog_fd(const struct cioctl_sweep *sweep) { return sweep->watchdog_fd; }

int cioctl_sweep_set_interval(struct cioctl_sweep *sweep, size_t source, int64_t interval_ns) {
    if (source >= cioctl_source_count || !is_interval(interval_ns)) return -EINVAL;
    pthread_mutex_lock(&sweep->lock);
    struct lane *lane = &sweep->lanes[source];
    lane->interval_ns = interval_ns;
    lane->due_ns = grid_after(clock_ns(), interval_ns);
    pthread_cond_broadcast(&sweep->changed);
    pthread_mutex_unlock(&sweep->lock);
    return 0;
}

int cioctl_sweep_request_registers(struct cioctl_sweep *sweep, uint32_t ifindex, uint64_t *id) {
    int result = -EAGAIN;
    pthread_mutex_lock(&sweep->lock);
    for (size_t i = 0; sweep->active && i < CIOCTL_REQUESTS_MAX && result < 0; i++) {
        struct request *request = &sweep->requests[i];
        if (request->state != REQUEST_FREE) continue;
        *id = ++sweep->next_request_id;
        *request = (struct request){
            .state = REQUEST_WAITING,
            .report = {.id = *id, .ifindex = ifindex, .settings_result = -ETIMEDOUT},
        };
        result = 0;
    }
    pthread_cond_broadcast(&sweep->changed);
    pthread_mutex_unlock(&sweep->lock);
    return result;
}

int cioctl_sweep_next_registers(struct cioctl_sweep *sweep, struct cioctl_registers_report *report) {
    int found = 0;
    pthread_mutex_lock(&sweep->lock);
    for (size_t i = 0; i < CIOCTL_REQUESTS_MAX && !found; i++) {
        struct request *request = &sweep->requests[i];
        if (request->state != REQUEST_DONE) continue;
        *report = request->report;
        request->state = REQUEST_FREE;
        found = 1;
    }
    pthread_mutex_unlock(&sweep->lock);
    return found;
}

uint32_t cioctl_bucket_us(size_t bucket) {
    static const uint32_t bounds[CIOCTL_BUCKETS] = {1,    2,    5,     10,    20,    50,     100,    200,    500,
                                                    1000, 2000, 5000,  10000, 20000, 50000,  100000, 200000, 500000,
                                                    1000000, 0};
    return bucket < CIOCTL_BUCKETS ? bounds[bucket] : 0;
}

static void add_stuck(const struct worker *worker, int64_t now_ns, struct cioctl_statistics *statistics) {
    int64_t waited_ns = now_ns - worker->job.started_ns;
    statistics->stuck_ports++;
    if (waited_ns > statistics->stuck_ns) statistics->stuck_ns = waited_ns;
}

void cioctl_sweep_statistics(struct cioctl_sweep *sweep, size_t source, struct cioctl_statistics *statistics) {
    int64_t now_ns = clock_ns();
    pthread_mutex_lock(&sweep->lock);
    *statistics = sweep->lanes[source].statistics;
    statistics->ports = (uint32_t)sweep->lanes[source].count;
    statistics->interval_ns = sweep->lanes[source].interval_ns;
    for (size_t i = 0; i < CIOCTL_WORKERS_MAX; i++) {
        const struct worker *worker = &sweep->workers[i];
        if (worker->is_used && worker->is_stuck && !worker->job.request_id && worker->job.source == source)
            add_stuck(worker, now_ns, statistics);
    }
    pthread_mutex_unlock(&sweep->lock);
}
