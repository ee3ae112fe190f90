/* Shifts a process's wall clock by the seconds that the file SHIFTED_CLOCK holds, read with each call,
 * so that a test can move the clock while the process runs. The monotonic clock stays as it is.
 * Preloaded by tests/clocks.py. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long shift_ns(void) {
    const char *path = getenv("SHIFTED_CLOCK");
    char text[32] = "";
    int before = errno, file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        ssize_t length = read(file, text, sizeof text - 1);
        text[length > 0 ? length : 0] = 0;
        close(file);
    }
    errno = before;
    return (long long)(strtod(text, NULL) * 1e9);
}

int clock_gettime(clockid_t clock, struct timespec *moment) {
    int failed = (int)syscall(SYS_clock_gettime, clock, moment);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        long long ns = moment->tv_sec * 1000000000LL + moment->tv_nsec + shift_ns();
        moment->tv_sec = ns / 1000000000LL;
        moment->tv_nsec = ns % 1000000000LL;
    }
    return failed;
}

int gettimeofday(struct timeval *restrict moment, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    if (!failed) {
        moment->tv_sec = now.tv_sec;
        moment->tv_usec = now.tv_nsec / 1000;
    }
    return failed;
}

time_t time(time_t *moment) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (moment)
        *moment = now.tv_sec;
    return now.tv_sec;
}
