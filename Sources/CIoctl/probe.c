/* One poll: which questions are asked, in which order, and what the answers mean.
 *
 * IEEE 802.3 clause 22: BMSR.LSTATUS (register 1, bit 2) latches low and clears on read. A first reading of 1 says that
 * the link is up and has been since the last reading: one ioctl. After a first 0 the second reading is the link now, and
 * 0 then 1 is a link that blinked. The latch is shared with the driver and every other reader, so a blink is best effort.
 *
 * A bus without a PHY floats: it reads 0xffff, or 0x0000 if it is pulled down, or 0xffXX with chips that answer in
 * one half. Some drivers invent registers: bonding answers BMSR with the link bit alone, and 0 for all others
 * (drivers/net/bonding, bond_eth_ioctl). A PHY without a single ability is therefore taken for none, unless it has
 * an identity: the emulation of clause 22 by clause 45 has no abilities either (drivers/net/mdio.c, mdio_mii_ioctl). */
#include "cioctl.h"

#include <errno.h>
#include <string.h>

#include <linux/mii.h>

/* An interface may be renamed while it is asked. After this many renames in one poll the result is -EAGAIN. */
enum { RENAMES_MAX = 3 };

bool cioctl_is_unsupported(int error) {
    switch (error) {
    case EOPNOTSUPP:
    case CIOCTL_ENOTSUPP:
    case ENOTTY:
    case ENOSYS:
    case EPERM:
    case EACCES:
        return true;
    default:
        return false;
    }
}

static bool is_floating(int bmsr) { return (bmsr & 0xff00) == 0xff00; }

/* Whether the value is what a bus without a PHY may read. */
static bool is_bare(int bmsr) { return (bmsr & ~BMSR_LSTATUS) == 0; }

static bool is_identity(int high, int low) {
    return high >= 0 && low >= 0 && !(high == 0 && low == 0) && !(high == 0xffff && low == 0xffff);
}

static bool has_identity(
    const struct cioctl_backend *backend, const struct cioctl_target *target, struct cioctl_reading *reading) {
    int high = backend->mii_register(backend->context, target->ifname, target->known.phy, MII_PHYSID1);
    int low = backend->mii_register(backend->context, target->ifname, target->known.phy, MII_PHYSID2);
    reading->calls += 2;
    return is_identity(high, low);
}

static int read_bmsr(
    const struct cioctl_backend *backend, const struct cioctl_target *target, struct cioctl_reading *reading) {
    int bmsr = backend->mii_register(backend->context, target->ifname, target->known.phy, MII_BMSR);
    reading->calls++;
    if (bmsr < 0) return bmsr;
    reading->bmsr = (uint16_t)bmsr;
    if (is_floating(bmsr) || (is_bare(bmsr) && !has_identity(backend, target, reading))) return -ENXIO;
    return bmsr;
}

static int find_phy(
    const struct cioctl_backend *backend, struct cioctl_target *target, struct cioctl_reading *reading) {
    int phy = backend->mii_phy(backend->context, target->ifname);
    reading->calls++;
    if (phy < 0) return phy;
    target->known.phy = (uint16_t)phy;
    target->known.has_phy = true;
    return 0;
}

/* In the steady state of a healthy link this is one ioctl. -ENXIO: the registers read 0xffff or 0xffXX, or nothing
 * but a link bit without a PHY's identity: no PHY answers. */
static int poll_mii(
    const struct cioctl_backend *backend, struct cioctl_target *target, struct cioctl_reading *reading) {
    reading->method = "bmsr";
    if (!target->known.has_phy) {
        int result = find_phy(backend, target, reading);
        if (result < 0) return result;
    }
    int first = read_bmsr(backend, target, reading);
    if (first < 0) return first;
    if (first & BMSR_LSTATUS) return 1;
    int second = read_bmsr(backend, target, reading);
    if (second < 0) return second;
    reading->latched = (second & BMSR_LSTATUS) != 0;
    return reading->latched;
}

/* Asks by ETHTOOL_GLINK; if the driver does not support it (no get_link), by RTM_GETLINK from then on. */
static int poll_driver(
    const struct cioctl_backend *backend, struct cioctl_target *target, struct cioctl_reading *reading) {
    if (!target->known.has_no_glink) {
        reading->method = "glink";
        reading->calls++;
        int result = backend->glink(backend->context, target->ifname);
        if (result >= 0 || !cioctl_is_unsupported(-result)) return result;
        target->known.has_no_glink = true;
    }
    reading->method = "getlink";
    reading->calls++;
    return backend->netlink_carrier(backend->context, target->ifindex);
}

const struct cioctl_probe cioctl_probes[] = {
    {"mii", poll_mii},
    {"driver", poll_driver},
};

enum { SOURCES = sizeof cioctl_probes / sizeof *cioctl_probes };
_Static_assert(SOURCES <= CIOCTL_SOURCES_MAX, "a lane, an interval and a bit for each");

const size_t cioctl_source_count = SOURCES;

const char *cioctl_source_name(size_t source) { return cioctl_probes[source].name; }

/* 1: the target still has its name. 0: it was renamed, and must be asked from the beginning. */
static int check_name(
    const struct cioctl_backend *backend, struct cioctl_target *target, struct cioctl_reading *reading) {
    char ifname[CIOCTL_NAME_SIZE] = "";
    int result = backend->name(backend->context, target->ifindex, ifname);
    reading->calls++;
    if (result < 0) return result;
    if (strncmp(ifname, target->ifname, CIOCTL_NAME_SIZE) == 0) return 1;
    memcpy(target->ifname, ifname, CIOCTL_NAME_SIZE);
    target->known = (struct cioctl_known){0};
    return 0;
}

int cioctl_poll_checked(
    const struct cioctl_backend *backend, size_t source, struct cioctl_target *target, int expected,
    struct cioctl_reading *reading) {
    if (expected < 0) {
        int name = check_name(backend, target, reading);
        if (name < 0) return name;
    }
    for (int renames = 0; renames < RENAMES_MAX; renames++) {
        int result = cioctl_probes[source].poll(backend, target, reading);
        if (result >= 0 && result == expected && !reading->latched) return result;
        int name = check_name(backend, target, reading);
        if (name < 0) return name;
        if (name == 1) return result;
        reading->latched = false;
    }
    return -EAGAIN;
}

/* BMCR and BMSR make a PHY; what is beyond them may be missing. */
static int read_all(const struct cioctl_backend *backend, const char *ifname, struct cioctl_registers *registers) {
    for (uint16_t number = 0; number < 16; number++) {
        int value = backend->mii_register(backend->context, ifname, registers->phy, number);
        if (value < 0 && number <= MII_BMSR) return value;
        registers->value[number] = value < 0 ? 0 : (uint16_t)value;
    }
    registers->bmsr_first = registers->value[MII_BMSR];
    if (is_floating(registers->bmsr_first)) return -ENXIO;
    if (is_bare(registers->bmsr_first) && !is_identity(registers->value[MII_PHYSID1], registers->value[MII_PHYSID2]))
        return -ENXIO;
    if (registers->bmsr_first & BMSR_LSTATUS) return 0;
    int again = backend->mii_register(backend->context, ifname, registers->phy, MII_BMSR);
    if (again < 0) return again;
    registers->value[MII_BMSR] = (uint16_t)again;
    return 0;
}

int cioctl_read_registers(
    const struct cioctl_backend *backend, uint32_t ifindex, struct cioctl_registers *registers) {
    char ifname[CIOCTL_NAME_SIZE] = "";
    memset(registers, 0, sizeof *registers);
    int result = backend->name(backend->context, ifindex, ifname);
    if (result < 0) return result;
    int phy = backend->mii_phy(backend->context, ifname);
    if (phy < 0) return phy;
    registers->phy = (uint16_t)phy;
    return read_all(backend, ifname, registers);
}

int cioctl_read_settings(
    const struct cioctl_backend *backend, uint32_t ifindex, struct cioctl_settings *settings) {
    char ifname[CIOCTL_NAME_SIZE] = "";
    *settings = (struct cioctl_settings){.speed = -1, .duplex = 0xff, .autoneg = 0};
    int result = backend->name(backend->context, ifindex, ifname);
    if (result < 0) return result;
    return backend->settings(backend->context, ifname, settings);
}

static void digest_registers(const struct cioctl_backend *backend, const char *ifname, uint16_t *registers) {
    static const uint16_t numbers[] = {MII_BMCR, MII_ADVERTISE, MII_LPA, MII_CTRL1000, MII_STAT1000};
    int phy = backend->mii_phy(backend->context, ifname);
    for (size_t i = 0; phy >= 0 && i < sizeof numbers / sizeof *numbers; i++) {
        int value = backend->mii_register(backend->context, ifname, (uint16_t)phy, numbers[i]);
        registers[i] = value < 0 ? 0 : (uint16_t)value;
    }
    /* The lower half of STAT1000 counts errors. */
    registers[4] &= 0xff00;
}

void cioctl_read_digest(
    const struct cioctl_backend *backend, uint32_t ifindex, bool has_mii, struct cioctl_digest *digest) {
    char ifname[CIOCTL_NAME_SIZE] = "";
    memset(digest, 0, sizeof *digest);
    if (backend->name(backend->context, ifindex, ifname) < 0) return;
    struct cioctl_settings settings = {0};
    if (backend->settings(backend->context, ifname, &settings) >= 0) {
        /* Compares field by field: padding bytes between them are undefined. */
        digest->settings.speed = settings.speed;
        digest->settings.duplex = settings.duplex;
        digest->settings.autoneg = settings.autoneg;
    }
    if (has_mii) digest_registers(backend, ifname, digest->registers);
}
