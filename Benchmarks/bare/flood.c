/* flood ADDRESS COUNT RATE KIND: sends VRRP adverts that must be refused to 224.0.0.18, out of the interface with
 * ADDRESS, COUNT of them at RATE a second, in bursts of a millisecond. KIND is `checksum` (a wrong one, TTL 255) or
 * `ttl` (TTL 64, a good checksum). They claim priority 255 for VRID 10 and 192.0.2.1. Prints the milliseconds that it
 * took. */
#include "bare.h"
#include <arpa/inet.h>
#include <sys/socket.h>

static uint16_t sum(const uint8_t *bytes, size_t length) {
    uint32_t total = 0;
    for (size_t i = 0; i + 1 < length; i += 2) total += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

int main(int argc, char **argv) {
    if (argc != 5) { fprintf(stderr, "usage: flood ADDRESS COUNT RATE checksum|ttl\n"); return 64; }
    uint8_t advert[12] = {0x31, 10, 255, 1, 0, 10, 0, 0, 192, 0, 2, 1};
    int fd = socket(AF_INET, SOCK_RAW, 112), ttl = !strcmp(argv[4], "ttl") ? 64 : 255;
    struct in_addr self;
    inet_pton(AF_INET, argv[1], &self);
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &self, sizeof self) < 0) die("socket");
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl);
    uint16_t checksum = sum(advert, sizeof advert);
    if (ttl == 255) checksum ^= 0x5555;
    advert[6] = (uint8_t)(checksum >> 8);
    advert[7] = (uint8_t)checksum;
    struct sockaddr_in group = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xe0000012)};
    int64_t start_ns = now_ns(), next_ns = start_ns;
    long count = atol(argv[2]), burst = atol(argv[3]) / 1000;
    for (long sent = 0; sent < count; next_ns += 1000000) {
        sleep_until(next_ns);
        for (long i = 0; i < burst && sent < count; i++, sent++)
            sendto(fd, advert, sizeof advert, 0, (struct sockaddr *)&group, sizeof group);
    }
    printf("%.1f\n", (double)(now_ns() - start_ns) / 1e6);
    return 0;
}
