/* Put before the C library with LD_PRELOAD: reads and writes take few bytes at a time, and are interrupted often. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static size_t at_most(size_t count) {
    static size_t most;
    if (most == 0) {
        const char *text = getenv("PARKLITE_TEST_MOST_BYTES");
        most = text ? strtoul(text, NULL, 10) : 1 << 30;
    }
    return count < most ? count : most;
}

/* Every third call of a thread is interrupted. */
static int is_interrupted(int descriptor) {
    static __thread unsigned calls;
    if (descriptor <= 2 || ++calls % 3 != 0) return 0;
    errno = EINTR;
    return 1;
}

#define REAL(name) (real ? real : (real = dlsym(RTLD_NEXT, #name)))

#define COUNTED(name, buffer)                                                   \
    ssize_t name(int descriptor, buffer bytes, size_t count) {                  \
        static ssize_t (*real)(int, buffer, size_t);                            \
        if (is_interrupted(descriptor)) return -1;                              \
        return REAL(name)(descriptor, bytes, descriptor > 2 ? at_most(count) : count); \
    }
COUNTED(read, void *)
COUNTED(write, const void *)

#define PLACED(name, buffer, offset)                                            \
    ssize_t name(int descriptor, buffer bytes, size_t count, offset at) {       \
        static ssize_t (*real)(int, buffer, size_t, offset);                    \
        if (is_interrupted(descriptor)) return -1;                              \
        return REAL(name)(descriptor, bytes, at_most(count), at);               \
    }
PLACED(pread, void *, off_t)
PLACED(pread64, void *, off64_t)
PLACED(pwrite, const void *, off_t)
PLACED(pwrite64, const void *, off64_t)

#define OPENED(name)                                                            \
    int name(const char *path, int flags, ...) {                                \
        static int (*real)(const char *, int, mode_t);                          \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        mode_t mode = va_arg(more, mode_t);                                     \
        va_end(more);                                                           \
        if (is_interrupted(3)) return -1;                                       \
        return REAL(name)(path, flags, mode);                                   \
    }
OPENED(open)
OPENED(open64)
