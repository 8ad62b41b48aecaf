/* gaps INTERFACE SOURCE: listens to the adverts of one host, by the times at which the kernel got them, until SIGTERM; then
 * it prints how many there were and the longest gap between two of one VRID, in milliseconds.
 * gaps: is itself a bare loop that has something to do every 100 ms, and prints how often, and the longest gap between two of
 * its turns: what the machine's scheduler does to anybody. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static volatile sig_atomic_t is_over;
static void end(int number) { (void)number, is_over = 1; }

static int64_t now_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static unsigned long count;
static int64_t longest;
static int64_t last[256];

static void took(int vrid, int64_t at) {
    if (last[vrid] && at - last[vrid] > longest) longest = at - last[vrid];
    last[vrid] = at;
    count++;
}

static void pace(void) {
    int64_t next = now_ns(CLOCK_MONOTONIC);
    while (!is_over) {
        next += 100000000;
        struct timespec until = {next / 1000000000, next % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        took(0, now_ns(CLOCK_MONOTONIC));
    }
}

static int listen_for(const char *interface, const char *source) {
    struct in_addr address;
    if (!inet_aton(source, &address)) return -1;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 112, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(address.s_addr), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    struct sockaddr_ll place = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(interface)};
    struct timeval patience = {0, 50000};
    int one = 1, room = 4 << 20, fd = socket(AF_PACKET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
        bind(fd, (struct sockaddr *)&place, sizeof place) < 0)
        return -1;
    return fd;
}

static void hear(int fd) {
    while (!is_over) {
        uint8_t packet[2048], control[256];
        struct iovec part = {packet, sizeof packet};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t length = recvmsg(fd, &header, 0);
        if (length < 28) continue;
        size_t start = (size_t)(packet[0] & 15) * 4;
        for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
            if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_TIMESTAMPNS) continue;
            struct timespec time;
            memcpy(&time, CMSG_DATA(part), sizeof time);
            if ((size_t)length > start + 1) took(packet[start + 1], time.tv_sec * 1000000000LL + time.tv_nsec);
        }
    }
    /* One that is late to this day counts. */
    int64_t at = now_ns(CLOCK_REALTIME);
    for (int vrid = 0; vrid < 256; vrid++)
        if (last[vrid] && at - last[vrid] > longest) longest = at - last[vrid];
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    if (argc == 3) {
        int fd = listen_for(argv[1], argv[2]);
        if (fd < 0) { perror("gaps"); return 1; }
        printf("listening\n");
        fflush(stdout);
        hear(fd);
    } else {
        printf("listening\n");
        fflush(stdout);
        pace();
    }
    printf("%lu %.3f\n", count, (double)longest / 1e6);
    return 0;
}
