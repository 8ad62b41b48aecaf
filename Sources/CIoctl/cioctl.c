#include "cioctl.h"
