// For inner loops whose state must stay in registers: inlined whatever the compiler thinks of it.
#pragma once

#define DWCP_INLINE __attribute__((always_inline)) inline
