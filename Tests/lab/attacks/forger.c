/* forger INTERFACE RATE VRIDS PRIORITY LISTS SENDERS: one host of a LAN. It sends RATE adverts a second to 224.0.0.18, for the VRIDs
 * 1 to VRIDS in turn, of version 3, with an interval of 100 ms, until SIGTERM; then it prints how many and in how many
 * seconds. With LISTS 1 each lists the address 192.0.2.(100 + VRID); with 2 every other round lists another one. With SENDERS 1 they come from 192.0.2.66, and
 * else from so many forged addresses in turn. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static volatile sig_atomic_t is_over;
static void end(int number) { (void)number, is_over = 1; }

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint16_t checksum(const uint8_t *bytes, size_t length) {
    uint32_t total = 0;
    for (size_t i = 0; i + 1 < length; i += 2) total += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

#define BATCH 64

int main(int argc, char **argv) {
    if (argc != 7) { fprintf(stderr, "usage: forger INTERFACE RATE VRIDS PRIORITY LISTS SENDERS\n"); return 64; }
    long rate = atol(argv[2]);
    int vrids = atoi(argv[3]), priority = atoi(argv[4]), lists = atoi(argv[5]), senders = atoi(argv[6]), one = 1;
    int fd = socket(AF_INET, SOCK_RAW, 112);
    struct ip_mreqn out = {.imr_ifindex = (int)if_nametoindex(argv[1])};
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof one) < 0) {
        perror("socket");
        return 1;
    }
    signal(SIGTERM, end);
    struct sockaddr_in group = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xe0000012)};
    static uint8_t adverts[BATCH][32];
    static struct mmsghdr messages[BATCH];
    static struct iovec parts[BATCH];
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){adverts[i], sizeof adverts[i]};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &group, .msg_namelen = sizeof group, .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    double began = now();
    unsigned long long sent = 0;
    while (!is_over) {
        double due = (now() - began) * (double)rate;
        if ((double)sent + BATCH > due) {
            struct timespec pause = {0, (long)(BATCH * 5e8 / (double)rate)};
            nanosleep(&pause, NULL);
            continue;
        }
        for (int i = 0; i < BATCH; i++) {
            int vrid = (int)((sent + (unsigned)i) % (unsigned)vrids) + 1;
            int other = lists > 1 && (sent + (unsigned)i) / (unsigned)vrids % 2 ? 100 : 0;
            uint32_t sender = senders > 1 ? 0x0a000001u + (uint32_t)(sent + (unsigned)i) % (uint32_t)senders : 0xc0000242u;
            uint8_t header[20] = {0x45, 0xc0, 0, 32, 0, 0, 0, 0, 255, 112, 0, 0, (uint8_t)(sender >> 24), (uint8_t)(sender >> 16), (uint8_t)(sender >> 8), (uint8_t)sender, 224, 0, 0, 18};
            uint8_t advert[12] = {0x31, (uint8_t)vrid, (uint8_t)priority, 1, 0, 10, 0, 0, 192, 0, 2, (uint8_t)(100 + vrid % 50 + other)};
            uint16_t sum = checksum(advert, sizeof advert);
            advert[6] = (uint8_t)(sum >> 8), advert[7] = (uint8_t)sum;
            memcpy(adverts[i], header, sizeof header);
            memcpy(adverts[i] + sizeof header, advert, sizeof advert);
        }
        int count = sendmmsg(fd, messages, BATCH, 0);
        if (count > 0) sent += (unsigned)count;
    }
    printf("%llu %.3f\n", sent, now() - began);
    return 0;
}
