// The kernels for the compiler's default instruction set: SSE2, NEON or another.

#include "kernels.h"
#include "native.h"

namespace vsduf::portable {
namespace {

// Registers of four lanes: 16 of them, or the 32 that a 64-bit ARM processor has.
#if defined(__aarch64__)
constexpr int kLanes = 4, kPanel = 6, kPair = 1;
#else
constexpr int kLanes = 4, kPanel = 2, kPair = 1;
#endif

#include "simd.h"
#include "product.h"
#include "winograd.h"
#include "samples.h"
#include "dynamic_filter.h"
#include "layers.h"

}  // namespace
}  // namespace vsduf::portable

const vsduf::Kernels vsduf::portableKernels = vsduf::portable::kernels("portable");
