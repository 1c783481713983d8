// The kernels for AVX-512.

#include "kernels.h"
#include "native.h"

#if defined(__x86_64__)
TARGET("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")

namespace vsduf::avx512 {
namespace {

constexpr int kLanes = 16, kPanel = 12, kPair = 2;  // 24 of 32 registers hold sums

#include "simd.h"
#include "product.h"
#include "winograd.h"
#include "samples.h"
#include "dynamic_filter.h"
#include "layers.h"

}  // namespace
}  // namespace vsduf::avx512

const vsduf::Kernels vsduf::avx512Kernels = vsduf::avx512::kernels("avx512");

TARGET_END
#endif
