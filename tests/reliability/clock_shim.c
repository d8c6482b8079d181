/* A wall clock that a test moves: preloaded into the appliance, beside the file that FRESHET_CLOCK
 * names. Only what tells the time of day is touched; CLOCK_MONOTONIC and the TSC stay true.
 *
 *   byte 0  offset i64, ns: added to the true time
 *        8  frozen i64, ns: not 0: what the clock shows, standing still
 *
 * The test writes the words, each whole; the appliance reads them. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_IN_SECOND 1000000000

struct clock_words {
    _Atomic int64_t shared_offset_ns;
    _Atomic int64_t shared_frozen_ns;
};

typedef int clock_gettime_function(clockid_t id, struct timespec *out);

static struct clock_words *words;

static clock_gettime_function *true_gettime_find(void)
{
    void *found = dlsym(RTLD_NEXT, "clock_gettime");
    clock_gettime_function *function;
    memcpy(&function, &found, sizeof(function));
    return function;
}

/* Other libraries' constructors, which ask for the time too, may run before. */
__attribute__((constructor)) static void shim_open(void)
{
    const char *path = getenv("FRESHET_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *mapped = mmap(NULL, sizeof(*words), PROT_READ, MAP_SHARED, fd, 0);
        words = mapped == MAP_FAILED ? NULL : mapped;
        (void)close(fd);
    }
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    static clock_gettime_function *_Atomic true_gettime;
    clock_gettime_function *function = true_gettime;
    if (function == NULL) {
        true_gettime = function = true_gettime_find();
    }
    int result = function(id, out);
    if (words == NULL || result != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) {
        return result;
    }
    int64_t frozen_ns = atomic_load_explicit(&words->shared_frozen_ns, memory_order_relaxed);
    int64_t ns = (int64_t)out->tv_sec * NS_IN_SECOND + out->tv_nsec +
                 atomic_load_explicit(&words->shared_offset_ns, memory_order_relaxed);
    ns = frozen_ns != 0 ? frozen_ns : ns;
    *out = (struct timespec){.tv_sec = ns / NS_IN_SECOND, .tv_nsec = ns % NS_IN_SECOND};
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return result;
}

time_t time(time_t *out)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
