/* One question, one system call.
 *
 * Device ioctls work on any socket; AF_UNIX is there even in a kernel without IPv4. They take RTNL (net/core/dev_ioctl.c)
 * and first look up the name, and may load a module when it is absent; SIOCGIFNAME does neither. The socket decides the
 * network namespace. */
#include "cioctl.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/mii.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

_Static_assert(CIOCTL_NAME_SIZE == IFNAMSIZ, "an interface name");
_Static_assert(sizeof(struct mii_ioctl_data) == 8, "what SIOCGMIIREG takes");
_Static_assert(sizeof(struct mii_ioctl_data) <= sizeof(struct ifreq) - offsetof(struct ifreq, ifr_ifru), "in an ifreq");

/* IFLA_CARRIER stands among the first attributes; what can make a link message long (IFLA_LINKINFO, IFLA_AF_SPEC,
 * IFLA_PROP_LIST) comes after it, so the beginning will do. */
enum { GETLINK_BUFFER = 4096 };

static int socket_of(void *context) { return (int)(intptr_t)context; }

static void set_name(struct ifreq *request, const char *ifname) {
    size_t length = strnlen(ifname, IFNAMSIZ - 1);
    memset(request, 0, sizeof *request);
    memcpy(request->ifr_name, ifname, length);
}

static int ask(void *context, unsigned long number, struct ifreq *request) {
    int answer;
    do answer = ioctl(socket_of(context), number, request);
    while (answer < 0 && errno == EINTR);
    return answer < 0 ? -errno : 0;
}

static int kernel_name(void *context, uint32_t ifindex, char ifname[CIOCTL_NAME_SIZE]) {
    struct ifreq request = {.ifr_ifindex = (int)ifindex};
    int result = ask(context, SIOCGIFNAME, &request);
    if (result < 0) return result;
    memcpy(ifname, request.ifr_name, IFNAMSIZ);
    ifname[IFNAMSIZ - 1] = 0;
    return 0;
}

static int mii_ioctl(void *context, unsigned long number, const char *ifname, struct mii_ioctl_data *data) {
    struct ifreq request;
    set_name(&request, ifname);
    memcpy(&request.ifr_ifru, data, sizeof *data);
    int result = ask(context, number, &request);
    memcpy(data, &request.ifr_ifru, sizeof *data);
    return result;
}

static int kernel_mii_phy(void *context, const char *ifname) {
    /* Most drivers go on and read reg_num as well: BMCR, because reading BMSR would clear the latch. */
    struct mii_ioctl_data data = {.reg_num = MII_BMCR};
    int result = mii_ioctl(context, SIOCGMIIPHY, ifname, &data);
    return result < 0 ? result : data.phy_id;
}

static int kernel_mii_register(void *context, const char *ifname, uint16_t phy, uint16_t number) {
    struct mii_ioctl_data data = {.phy_id = phy, .reg_num = number};
    int result = mii_ioctl(context, SIOCGMIIREG, ifname, &data);
    return result < 0 ? result : data.val_out;
}

static int kernel_glink(void *context, const char *ifname) {
    struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
    struct ifreq request;
    set_name(&request, ifname);
    request.ifr_data = (void *)&value;
    int result = ask(context, SIOCETHTOOL, &request);
    return result < 0 ? result : value.data != 0;
}

/* The kernel first says, negated, how many words its bitmaps have; only a request with that number is answered
 * (net/ethtool/ioctl.c, ethtool_get_link_ksettings). The bitmaps themselves are of no interest here. */
static int kernel_settings(void *context, const char *ifname, struct cioctl_settings *settings) {
    enum { WORDS_MAX = 32 };
    union {
        struct ethtool_link_settings head;
        uint8_t room[sizeof(struct ethtool_link_settings) + 3 * WORDS_MAX * sizeof(uint32_t)];
    } answer = {.room = {0}};
    answer.head.cmd = ETHTOOL_GLINKSETTINGS;
    struct ifreq request;
    set_name(&request, ifname);
    request.ifr_data = (void *)&answer;
    int result = ask(context, SIOCETHTOOL, &request);
    if (result < 0) return result;
    int words = -answer.head.link_mode_masks_nwords;
    if (words < 1 || words > WORDS_MAX) return -EPROTO;
    memset(&answer, 0, sizeof answer);
    answer.head.cmd = ETHTOOL_GLINKSETTINGS;
    answer.head.link_mode_masks_nwords = (int8_t)words;
    result = ask(context, SIOCETHTOOL, &request);
    if (result < 0) return result;
    settings->speed = answer.head.speed > INT32_MAX ? -1 : (int32_t)answer.head.speed;
    settings->duplex = answer.head.duplex;
    settings->autoneg = answer.head.autoneg;
    return 0;
}

/* The buffer may hold only the beginning of the message. */
static int find_carrier(const struct nlmsghdr *header, size_t length, uint32_t ifindex) {
    if (length < sizeof *header) return -EBADMSG;
    if (header->nlmsg_len < length) length = header->nlmsg_len;
    if (header->nlmsg_type == NLMSG_ERROR) {
        if (length < NLMSG_LENGTH(sizeof(struct nlmsgerr))) return -EBADMSG;
        const struct nlmsgerr *refusal = NLMSG_DATA(header);
        return refusal->error < 0 ? refusal->error : -EBADMSG;
    }
    if (header->nlmsg_type != RTM_NEWLINK || length < NLMSG_LENGTH(sizeof(struct ifinfomsg))) return -EBADMSG;
    const struct ifinfomsg *info = NLMSG_DATA(header);
    if ((uint32_t)info->ifi_index != ifindex) return -EBADMSG;
    int left = (int)(length - NLMSG_LENGTH(sizeof *info));
    for (const struct rtattr *attribute = IFLA_RTA(info); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
        if (attribute->rta_type == IFLA_CARRIER && RTA_PAYLOAD(attribute) >= 1)
            return *(const uint8_t *)RTA_DATA(attribute) != 0;
    return -EOPNOTSUPP;
}

static int exchange(int fd, uint32_t ifindex) {
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
        struct rtattr attribute;
        uint32_t filter;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
        .info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex},
        .attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = IFLA_EXT_MASK},
        .filter = RTEXT_FILTER_SKIP_STATS,
    };
    _Alignas(struct nlmsghdr) char answer[GETLINK_BUFFER];
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -errno;
    /* The kernel answers within sendto. */
    ssize_t length = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    if (length < 0) return -errno;
    return find_carrier((const struct nlmsghdr *)answer, (size_t)length, ifindex);
}

/* A socket for each question: this is the last resort, and threads that are stuck in it must not share one. */
static int kernel_netlink_carrier(void *context, uint32_t ifindex) {
    (void)context;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    int result = exchange(fd, ifindex);
    close(fd);
    return result;
}

int cioctl_kernel_open(struct cioctl_backend *backend) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    *backend = (struct cioctl_backend){
        .context = (void *)(intptr_t)fd,
        .name = kernel_name,
        .mii_phy = kernel_mii_phy,
        .mii_register = kernel_mii_register,
        .glink = kernel_glink,
        .settings = kernel_settings,
        .netlink_carrier = kernel_netlink_carrier,
    };
    return 0;
}

void cioctl_kernel_close(struct cioctl_backend *backend) {
    close(socket_of(backend->context));
    backend->context = (void *)(intptr_t)-1;
}
