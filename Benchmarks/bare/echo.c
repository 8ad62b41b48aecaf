/* echo PORT: sends every UDP datagram back to where it came from. The server behind the routers. */
#include "bare.h"
#include <arpa/inet.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    if (argc != 2) { fprintf(stderr, "usage: echo PORT\n"); return 64; }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))}, peer;
    if (bind(fd, (struct sockaddr *)&self, sizeof self) < 0) die("bind");
    for (;;) {
        char datagram[64];
        socklen_t size = sizeof peer;
        ssize_t length = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&peer, &size);
        if (length > 0) sendto(fd, datagram, (size_t)length, 0, (struct sockaddr *)&peer, size);
    }
}
