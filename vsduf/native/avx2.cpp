// The kernels for AVX2 and FMA.

#include "kernels.h"
#include "native.h"

#if defined(__x86_64__)
TARGET("avx2,fma")

namespace vsduf::avx2 {
namespace {

constexpr int kLanes = 8, kPanel = 6, kPair = 1;  // 12 of 16 registers hold sums

#include "simd.h"
#include "product.h"
#include "winograd.h"
#include "samples.h"
#include "dynamic_filter.h"
#include "layers.h"

}  // namespace
}  // namespace vsduf::avx2

const vsduf::Kernels vsduf::avx2Kernels = vsduf::avx2::kernels("avx2");

TARGET_END
#endif
