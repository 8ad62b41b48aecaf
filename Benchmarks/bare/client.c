/* client ADDRESS PORT PERIOD_US: a client of a server behind the routers. It sends a datagram every period; each answer
 * brings back the instant at which its question was sent. One line for each silence: the instant (ns) at which the last
 * question was sent that was answered before it, and that of the first one answered after it, if questions in between
 * were lost. It says `ready` at the first answer. The outage is what passed between the two. */
#include "bare.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    if (argc != 4) { fprintf(stderr, "usage: client ADDRESS PORT PERIOD_US\n"); return 64; }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &server.sin_addr);
    int64_t period_ns = atoll(argv[3]) * 1000, next_ns = now_ns(), last_ns = 0;
    for (;;) {
        int64_t question_ns = now_ns(), answer_ns;
        sendto(fd, &question_ns, sizeof question_ns, MSG_DONTWAIT, (struct sockaddr *)&server, sizeof server);
        next_ns += period_ns;
        for (int64_t left_ns; (left_ns = next_ns - now_ns()) > 0;) {
            struct timespec left = {0, left_ns};
            struct pollfd waiting = {.fd = fd, .events = POLLIN};
            if (ppoll(&waiting, 1, &left, NULL) <= 0) break;
            if (recv(fd, &answer_ns, sizeof answer_ns, MSG_DONTWAIT) != sizeof answer_ns) continue;
            if (!last_ns) printf("ready\n");
            else if (answer_ns - last_ns > 3 * period_ns)
                printf("%lld %lld\n", (long long)last_ns, (long long)answer_ns);
            if (answer_ns > last_ns) last_ns = answer_ns;
            fflush(stdout);
        }
        if (next_ns < now_ns()) next_ns = now_ns();
    }
}
