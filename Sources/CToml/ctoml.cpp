#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>
#include "ctoml.h"
extern "C" int ctoml_stub(void) { return 0; }
