// Which instruction sets this processor and system have.

#include "kernels.h"

std::vector<const vsduf::Kernels *> vsduf::usableKernels() {
    std::vector<const Kernels *> found;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        found.push_back(&avx512Kernels);
    if (avx2) found.push_back(&avx2Kernels);
#endif
    found.push_back(&portableKernels);
    return found;
}
