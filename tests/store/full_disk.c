/* Makes the disk full from one call on: loaded before libc, and armed by the process that is to meet it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static long left = -1;
static int is_full(void) {
  if (left < 0) return 0;
  if (left > 0) { left--; return 0; }
  errno = ENOSPC;
  return 1;
}
/* So many calls still work; −1: all of them. */
void disk_full_after(long calls) { left = calls; }
long calls_left(void) { return left; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
ssize_t write(int fd, const void *data, size_t size) { return fd > 2 && is_full() ? -1 : REAL(write)(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return is_full() ? -1 : REAL(pwrite)(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return is_full() ? -1 : REAL(pwrite64)(fd, data, size, at); }
int fsync(int fd) { return is_full() ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return is_full() ? -1 : REAL(fdatasync)(fd); }
int rename(const char *from, const char *to) { return is_full() ? -1 : REAL(rename)(from, to); }
