#ifndef CMNL_SHIM_H
#define CMNL_SHIM_H
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#endif
