/* Processes: fork, which Swift hides, and starting a program as another user. Only for a process of one thread. */
#ifndef CLINUX_SPAWN_H
#define CLINUX_SPAWN_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int clinux_fork(void) {
    pid_t pid = fork();
    return pid < 0 ? -errno : pid;
}

/* Both ends are closed on exec; the reading end does not block, the writing end, a program's output, does. */
static inline int clinux_pipe(int ends[2]) {
    if (pipe(ends) < 0) return -errno;
    for (int i = 0; i < 2; i++) fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

/* How many octets a pipe holds; an unprivileged user has at most fs.pipe-max-size, 1 MiB. */
static inline void clinux_grow_pipe(int fd, int size) {
    fcntl(fd, 1031 /* F_SETPIPE_SZ, behind _GNU_SOURCE */, size);
}

/* Closes the descriptors from first to last; before Linux 5.9, those of them that a program usually has. */
static inline void clinux_close_range(unsigned first, unsigned last) {
    if (syscall(SYS_close_range, first, last, 0) == 0) return;
    for (unsigned fd = first; fd <= last && fd < 4096; fd++) close((int)fd);
}

/* Whether a child has ended; it is not reaped, so that its number is not reused. */
static inline _Bool clinux_has_ended(int pid) {
    siginfo_t info = {0};
    return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Kills a process group as its own user: root without CAP_KILL may not. */
static inline void clinux_kill_group_as(unsigned uid, int group) {
    pid_t pid = fork();
    if (pid == 0) {
        if (setuid(uid) == 0) kill(-group, SIGKILL);
        _exit(0);
    }
    if (pid > 0) waitpid(pid, NULL, 0);
}

/* In the child of clinux_spawn: never returns. Signals are as a program expects them, what we ignore included, and nothing
 * is inherited but the three standard descriptors. linkwatch-vrrp(8), PROGRAMS, says what a program finds. */
static inline void clinux_become_program(
    char *const argv[], char *const environment[], const char *user, unsigned uid, unsigned gid, int output, int report) {
    sigset_t none;
    sigemptyset(&none);
    /* All of them, by the kernel's own call: the C library refuses the two that it keeps to itself, which whoever started
       us may ignore. Zeros are SIG_DFL and no flags, however the architecture lays the structure out. */
    uint64_t standard[8] = {0};
    for (int number = 1; number < _NSIG; number++) syscall(SYS_rt_sigaction, number, standard, NULL, (size_t)8);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    umask(022);
    /* What our service was given for a process of its own kind. */
    struct rlimit nothing = {0, 0}, little = {8 << 20, 8 << 20};
    setrlimit(RLIMIT_RTPRIO, &nothing);
    setrlimit(RLIMIT_MEMLOCK, &little);
    int null = open("/dev/null", O_RDONLY);
    int failed = chdir("/") < 0 || null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0;
    if (!failed && user) failed = initgroups(user, gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0;
    /* CLOEXEC on all others closes them; what was inherited from our own parent without it is closed here. */
    if (!failed) {
        syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
        execve(argv[0], argv, environment);
    }
    int error = errno;
    ssize_t ignored = write(report, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

/* Starts a program in a process group of its own, its output going to `output`. user: NULL to stay as we are.
 * Returns its pid, or -errno if it could not be started (a program that does not exist, a user we may not become). */
static inline int clinux_spawn(
    char *const argv[], char *const environment[], const char *user, unsigned uid, unsigned gid, int output) {
    int report[2];
    int failed = clinux_pipe(report);
    if (failed) return failed;
    fcntl(report[0], F_SETFL, 0); /* we wait until the program runs or cannot */
    pid_t pid = fork();
    if (pid == 0) clinux_become_program(argv, environment, user, uid, gid, output, report[1]);
    int error = pid < 0 ? errno : 0;
    close(report[1]);
    if (pid > 0) {
        setpgid(pid, pid); /* both sides, so that it is done whoever runs first */
        if (read(report[0], &error, sizeof error) != sizeof error) error = 0;
        if (error) waitpid(pid, NULL, 0);
    }
    close(report[0]);
    return error ? -error : pid;
}

#endif
