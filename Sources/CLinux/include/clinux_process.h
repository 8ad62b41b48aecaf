/* The processes of this host: the kernel's events of those that begin and end (the proc connector, linux/cn_proc.h),
 * and what /proc says of one. Functions return 0, a descriptor or a count, or -errno. */
#ifndef CLINUX_PROCESS_H
#define CLINUX_PROCESS_H

#include "clinux_netlink.h"
#include "clinux_packet.h"

#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <stdio.h>
#include <stdlib.h>

#define CLINUX_COMM_MAX 15

enum clinux_process_kind {
    CLINUX_PROCESS_OTHER,
    CLINUX_PROCESS_FORK, /* pid has forked `child` */
    CLINUX_PROCESS_EXEC,
    CLINUX_PROCESS_COMM, /* pid is called `comm` from now on */
    CLINUX_PROCESS_EXIT,
};

/* How much of a process is there. */
enum clinux_process_life {
    CLINUX_PROCESS_ENDED,
    CLINUX_PROCESS_RUNS,
    CLINUX_PROCESS_THREADS, /* its main thread has ended, and others go on */
};

struct clinux_process_event {
    enum clinux_process_kind kind;
    int32_t pid;
    int32_t child;
    char comm[CLINUX_COMM_MAX + 1];
};

/* Where things are in a message: a netlink header, a struct cn_msg of 20 bytes, a struct proc_event. Numbers are in the host's
 * order, which is not the one that a filter loads them in. */
enum { CLINUX_CN_ID = 16, CLINUX_CN_ACK = 28, CLINUX_CN_WHAT = 36, CLINUX_CN_DATA = 52, CLINUX_CN_END = 76 };

/* Lets only the answer to our own request pass. */
static inline int clinux_process_filter_answers(int fd) {
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CLINUX_CN_WHAT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROC_EVENT_NONE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return clinux_attach_filter(fd, filter, sizeof filter / sizeof *filter);
}

/* Lets pass the events of processes that matter here, and none of their threads. */
static inline int clinux_process_filter_events(int fd) {
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CLINUX_CN_WHAT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_FORK), 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_EXEC), 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_COMM), 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_EXIT), 4, 8),
        /* Of the child. */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CLINUX_CN_DATA + 8),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CLINUX_CN_DATA + 12),
        BPF_JUMP(BPF_JMP | BPF_JA, 3, 0, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CLINUX_CN_DATA),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CLINUX_CN_DATA + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    return clinux_attach_filter(fd, filter, sizeof filter / sizeof *filter);
}

static inline int clinux_process_ask(int fd, uint32_t token) {
    const struct nlmsghdr header = {.nlmsg_len = CLINUX_CN_WHAT + sizeof(uint32_t), .nlmsg_type = NLMSG_DONE};
    const struct cn_msg message = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .ack = token, .len = sizeof(uint32_t)};
    const uint32_t operation = PROC_CN_MCAST_LISTEN;
    char request[CLINUX_CN_WHAT + sizeof operation];
    memcpy(request, &header, sizeof header);
    memcpy(request + CLINUX_CN_ID, &message, CLINUX_CN_WHAT - CLINUX_CN_ID);
    memcpy(request + CLINUX_CN_WHAT, &operation, sizeof operation);
    if (send(fd, request, sizeof request, 0) < 0) return -errno;
    /* The kernel has answered by now: to all that listen, so that others' answers may be among them. Where it takes no
       requests, which is in a pid or user namespace other than the first, it says nothing. */
    for (int i = 0; i < 64; i++) {
        uint32_t answer[32];
        bool foreign = false;
        int length = clinux_netlink_receive(fd, answer, sizeof answer, &foreign);
        if (foreign) continue;
        if (length < 0 && length != -ENOBUFS) return length == -EAGAIN ? -EOPNOTSUPP : length;
        if (length < CLINUX_CN_DATA + 4 || length > (int)sizeof answer) continue;
        if (answer[CLINUX_CN_ACK / 4] == token + 1) return -(int)answer[CLINUX_CN_DATA / 4];
    }
    return -EOPNOTSUPP;
}

static inline int clinux_process_open(uint32_t token) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_CONNECTOR);
    if (fd < 0) return -errno;
    clinux_make_room(fd);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
    int failed = clinux_process_filter_answers(fd);
    if (!failed && bind(fd, (struct sockaddr *)&address, sizeof address) < 0) failed = -errno;
    if (!failed) failed = clinux_process_ask(fd, token);
    if (!failed) failed = clinux_process_filter_events(fd);
    if (!failed) return fd;
    close(fd);
    return failed;
}

/* Hears of every process of the host that forks, executes a program, changes its name or ends. It takes CAP_NET_ADMIN in the
 * initial user, pid and network namespaces; the last of them, kthreadd's, is entered for a moment by whoever may.
 * `token` tells our request from those of others. */
static inline int clinux_process_events(uint32_t token) {
    int fd = clinux_process_open(token);
    if (fd != -ECONNREFUSED) return fd;
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), initial = open("/proc/2/ns/net", O_RDONLY | O_CLOEXEC);
    if (own >= 0 && initial >= 0 && syscall(SYS_setns, initial, 0) == 0) {
        fd = clinux_process_open(token);
        /* Nothing that follows may happen in the wrong network. */
        if (syscall(SYS_setns, own, 0) < 0) abort();
    }
    if (own >= 0) close(own);
    if (initial >= 0) close(initial);
    return fd;
}

/* The next event, without waiting: 0, or -EAGAIN, or -ENOBUFS if some were lost. */
static inline int clinux_process_next(int fd, struct clinux_process_event *event) {
    uint32_t message[32] = {0};
    *event = (struct clinux_process_event){.kind = CLINUX_PROCESS_OTHER};
    bool foreign = false;
    int length = clinux_netlink_receive(fd, message, sizeof message, &foreign);
    if (length < 0) return length;
    if (foreign) return 0;
    const uint32_t *id = message + CLINUX_CN_ID / 4, *data = message + CLINUX_CN_DATA / 4;
    if (length < CLINUX_CN_END || id[0] != CN_IDX_PROC || id[1] != CN_VAL_PROC) return 0;
    event->pid = (int32_t)data[1];
    switch (message[CLINUX_CN_WHAT / 4]) {
    case PROC_EVENT_FORK:
        event->kind = CLINUX_PROCESS_FORK;
        event->child = (int32_t)data[3];
        break;
    case PROC_EVENT_EXEC: event->kind = CLINUX_PROCESS_EXEC; break;
    case PROC_EVENT_COMM:
        event->kind = CLINUX_PROCESS_COMM;
        memcpy(event->comm, data + 2, CLINUX_COMM_MAX);
        break;
    case PROC_EVENT_EXIT: event->kind = CLINUX_PROCESS_EXIT; break;
    }
    return 0;
}

/* The beginning of a file of a process; the length of what was read. */
static inline int clinux_process_read(int32_t pid, const char *file, void *buffer, size_t size) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t length = read(fd, buffer, size);
    int error = errno;
    close(fd);
    return length < 0 ? -error : (int)length;
}

/* Whether a process has ended and is still to be waited for. Its name, between parentheses, may have parentheses in it. */
static inline enum clinux_process_life clinux_process_life(int32_t pid) {
    char stat[512];
    int length = clinux_process_read(pid, "stat", stat, sizeof stat - 1), end = length;
    while (end > 0 && stat[end - 1] != ')') end--;
    if (end <= 0) return CLINUX_PROCESS_ENDED;
    stat[length] = 0;
    char state = 0;
    long threads = 0;
    /* The third field, and the twentieth: num_threads, in which one that has ended and is not reaped counts. */
    const char *fields = " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld";
    if (sscanf(stat + end, fields, &state, &threads) != 2) return CLINUX_PROCESS_ENDED;
    if (state != 'Z' && state != 'X') return CLINUX_PROCESS_RUNS;
    return threads > 1 ? CLINUX_PROCESS_THREADS : CLINUX_PROCESS_ENDED;
}

/* The numbers of some processes, of which the folder (/proc) is read a little at a time: how many, which may be 0, or -ENOENT
 * when all have been read. */
static inline int clinux_process_list(int folder, int32_t pids[128]) {
    uint64_t buffer[2048 / 8];
    long length = syscall(SYS_getdents64, folder, buffer, sizeof buffer);
    if (length <= 0) return length < 0 ? -errno : -ENOENT;
    int count = 0;
    /* struct linux_dirent64: ino, off, reclen (16 bits) at 16, type at 18, the name at 19. At least 24 bytes each. */
    for (long at = 0; at + 24 <= length && count < 128;) {
        const char *entry = (const char *)buffer + at;
        uint16_t size;
        memcpy(&size, entry + 16, sizeof size);
        if (size < 24 || at + size > length) break;
        char *end;
        long pid = strtol(entry + 19, &end, 10);
        if (*end == 0 && pid > 0 && pid <= INT32_MAX) pids[count++] = (int32_t)pid;
        at += size;
    }
    return count;
}

#endif
