/* A kernel that refuses to list its links while the file $UNLISTED exists: for LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
    static ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
    if (!real) real = dlsym(RTLD_NEXT, "recvfrom");
    ssize_t got = real(fd, buffer, size, flags, from, length);
    const char *file = getenv("UNLISTED");
    struct nlmsghdr *header = buffer;
    if (got < (ssize_t)sizeof *header || !from || from->sa_family != AF_NETLINK || !file || access(file, F_OK) < 0)
        return got;
    if (header->nlmsg_type != RTM_NEWLINK || !(header->nlmsg_flags & NLM_F_MULTI)) return got;
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } refusal = {
        .header = {.nlmsg_len = sizeof refusal, .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = header->nlmsg_seq},
        .error = {.error = -EACCES},
    };
    memcpy(buffer, &refusal, sizeof refusal);
    return sizeof refusal;
}
