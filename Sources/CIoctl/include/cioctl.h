#ifndef CIOCTL_H
#define CIOCTL_H
#endif
