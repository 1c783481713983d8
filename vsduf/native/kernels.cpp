// Finds the instruction sets that this processor and its system have, by CPUID: __builtin_cpu_supports reads variables
// that some compilers' libraries do not set.

#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

namespace {

/* Returns XCR0, the registers that the system saves between threads. Callers have checked that it may be read. */
unsigned savedRegisters() {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool allOf(unsigned value, unsigned bits) { return (value & bits) == bits; }

}  // namespace
#endif

std::vector<const vsduf::Kernels *> vsduf::usableKernels() {
    std::vector<const Kernels *> found;
#if defined(__x86_64__)
    constexpr unsigned kFma = 1u << 12, kXsave = 1u << 27, kAvx = 1u << 28, kAvx2 = 1u << 5;
    constexpr unsigned kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
    unsigned a, b, c, d;
    const bool avx = __get_cpuid(1, &a, &b, &c, &d) && allOf(c, kFma | kXsave | kAvx) && allOf(savedRegisters(), 0x06);
    if (avx && __get_cpuid_count(7, 0, &a, &b, &c, &d) && allOf(b, kAvx2)) {
        if (allOf(b, kAvx512) && allOf(savedRegisters(), 0xE6))
            found.push_back(&avx512Kernels);
        found.push_back(&avx2Kernels);
    }
#endif
    found.push_back(&portableKernels);
    return found;
}
