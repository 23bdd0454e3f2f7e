// The latch stands with the common helpers; this name is kept for programs that include it.
#pragma once

#include "../../util/dynamiclatch.h"
