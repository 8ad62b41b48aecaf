/* frames IFNAME...: what comes in at interfaces, such as the ports of a switch. One line a frame: instant (ns),
 * interface, then `advert SOURCE VRID PRIORITY` for a VRRP advert (RFC 9568, 5.2; SOURCE is `-` over IPv6), or `arp
 * ADDRESS` for a gratuitous ARP of that address. It says `ready` once it listens. What goes out is not looked at, and
 * the kernel wakes it for nothing else. */
#include "bare.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

enum { PORTS_MAX = 8 };

/* ARP, and protocol 112 over IPv4 and IPv6. */
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 6, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 2),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 9),
    BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 112, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

static void text(const uint8_t *address, char *out) { inet_ntop(AF_INET, address, out, INET_ADDRSTRLEN); }

static void look(const uint8_t *frame, size_t length, const char *port, int64_t seen_ns) {
    char source[INET_ADDRSTRLEN], target[INET_ADDRSTRLEN];
    if (length < 42) return;
    uint16_t type = (uint16_t)(frame[12] << 8 | frame[13]);
    const uint8_t *body = frame + 14;
    if (type == ETH_P_ARP) {
        text(body + 14, source);
        text(body + 24, target);
        if (!strcmp(source, target)) printf("%lld %s arp %s\n", (long long)seen_ns, port, source);
    } else if (type == ETH_P_IP && body[9] == 112) {
        const uint8_t *advert = body + 4 * (body[0] & 15);
        if (advert + 8 > frame + length) return;
        text(body + 12, source);
        printf("%lld %s advert %s %d %d\n", (long long)seen_ns, port, source, advert[1], advert[2]);
    } else if (type == ETH_P_IPV6 && body[6] == 112 && length >= 14 + 40 + 8) {
        printf("%lld %s advert - %d %d\n", (long long)seen_ns, port, body[41], body[42]);
    }
}

int main(int argc, char **argv) {
    struct pollfd ports[PORTS_MAX];
    int count = argc - 1;
    if (count < 1 || count > PORTS_MAX) { fprintf(stderr, "usage: frames IFNAME...\n"); return 64; }
    for (int i = 0; i < count; i++) {
        int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), on = 1;
        struct sockaddr_ll port = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)if_nametoindex(argv[i + 1])};
        struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
        struct packet_mreq groups = {.mr_ifindex = port.sll_ifindex, .mr_type = PACKET_MR_ALLMULTI};
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof groups);
        if (fd < 0 || bind(fd, (struct sockaddr *)&port, sizeof port) < 0) die(argv[i + 1]);
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
        ports[i] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        if (poll(ports, (nfds_t)count, -1) < 0 && errno != EINTR) die("poll");
        for (int i = 0; i < count; i++) {
            if (!ports[i].revents) continue;
            static uint8_t frame[2048];
            ssize_t length = recv(ports[i].fd, frame, sizeof frame, MSG_DONTWAIT);
            int64_t seen_ns = now_ns();
            if (length > 0) look(frame, (size_t)length, argv[i + 1], seen_ns);
        }
        fflush(stdout);
    }
}
