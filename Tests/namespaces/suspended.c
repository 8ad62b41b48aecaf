/* A machine that was suspended for as many seconds as the file $SUSPENDED says: for LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(clock, time);
    const char *path = getenv("SUSPENDED");
    FILE *file = clock == CLOCK_BOOTTIME && path ? fopen(path, "re") : NULL;
    if (!file) return answer;
    long seconds = 0;
    if (fscanf(file, "%ld", &seconds) == 1) time->tv_sec += seconds;
    fclose(file);
    return answer;
}
