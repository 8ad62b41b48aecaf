/* stamp PROGRAM [ARGUMENT...]: runs a program with stdout and stderr in a pipe, and writes each line of it with the
 * instant (ns) at which it could be read. It ends with the program, and the program with it. */
#include "bare.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

int main(int argc, char **argv) {
    int ends[2];
    if (argc < 2) { fprintf(stderr, "usage: stamp PROGRAM [ARGUMENT...]\n"); return 64; }
    if (pipe(ends) < 0) die("pipe");
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[1], argv + 1);
        die(argv[1]);
    }
    close(ends[1]);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    static char buffer[65536];
    size_t have = 0;
    for (;;) {
        ssize_t got = read(ends[0], buffer + have, sizeof buffer - 1 - have);
        int64_t seen_ns = now_ns();
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        have += (size_t)got;
        char *start = buffer, *end;
        while ((end = memchr(start, '\n', have - (size_t)(start - buffer)))) {
            printf("%lld %.*s\n", (long long)seen_ns, (int)(end - start), start);
            start = end + 1;
        }
        have -= (size_t)(start - buffer);
        if (have == sizeof buffer - 1) have = 0;
        memmove(buffer, start, have);
        fflush(stdout);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
