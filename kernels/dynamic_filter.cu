// Dynamic upsampling filters, the last step of the network and the only one that makes pictures: bias, softmax over 25
// taps, 5x5 filtering of the centre frame, residual, sub-pixel shuffle, rounding. The equation of
// vsduf/network/dynamic_upsample.py.
//
//   out[c, y*R + v, x*R + u] = sum_t softmax_t(logits[y, x, t, s] + bias[t, s]) * frame[c, y + t/5 - 2, x + t%5 - 2]
//                              + residual[y, x, c, s] + bias[25 + c, s],            s = v*R + u
//
// Layouts: logits [rows, width, 25, R*R] and residual [rows, width, 3, R*R], contiguous and 16-byte aligned; `columns`
// of their columns are wanted, from `first` on. bias float [28, R*R]. frame [3, H, W], the source's own samples at any
// stride: logits' (0, 0) lies at (top, left) of the frame, and taps outside the frame read the nearest pixel inside.
// out [3, R*rows, R*columns] of the same sample type.
//
// A block makes FILTER_BYTES / sizeof(T) pixels of a row, 32 in half and 16 in float. It loads their logits, 25 KB for
// R = 4, into shared memory 16 bytes at a time, and their 36x5 neighbourhood as floats; a thread then makes the R
// samples of one sub-pixel row in three colours. Neighbouring threads' vectors lie in different banks of shared memory
// for R = 2 and 4. Bytes: a pixel takes 28*R*R*sizeof(T) + 3 samples in and 3*R*R samples out, 947 bytes for R = 4,
// half logits and 8-bit pictures: 123 MB for 480x270, which 3.35 TB/s move in 37 us. Instructions: in the compiled code
// (sm_90) a thread runs about 1,700, 425 for a sample in three colours: 27.5 M warp instructions for 480x270, computed
// as 42 to 48 us on 132 multiprocessors at 65 % of their issue rate. So a H100 or H200 is bound by instructions, a
// GeForce card by bytes.

#include "samples.cuh"

constexpr int kTaps = 25, kSide = 5, kReach = 2;
constexpr float kLog2e = 1.44269504f;

template <typename T, int R>
struct Shape {
    static constexpr int subpixels = R * R;
    static constexpr int pixels = FILTER_BYTES / sizeof(T);
    static constexpr int threads = pixels * R;
    static constexpr int logits = kTaps * subpixels;
};

// Returns 2^x, and 0 where that is below float's range.
__device__ __forceinline__ float powerOfTwo(float x) {
#ifdef CUDA_ON_CPU
    return exp2f(x);
#else
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#endif
}

// Copies from[start] to from[start + count - 1] in whole vectors: to[i + offset] = from[start + i]. Returns the offset.
template <int Threads, typename T>
__device__ __forceinline__ int stage(T* to, const T* __restrict__ from, long long start, int count) {
    constexpr int N = VECTOR / sizeof(T);
    const int offset = static_cast<int>(start % N), end = offset + count;
    from += start - offset;
    for (int i = threadIdx.x; i < end / N; i += Threads)
        reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(from)[i];
    for (int i = end / N * N + threadIdx.x; i < end; i += Threads) to[i] = from[i];
    return offset;
}

template <typename T, typename Sample, int R>
__global__ void __launch_bounds__(Shape<T, R>::threads)
    dynamic_filter(Sample* __restrict__ out, const Sample* __restrict__ frame, const T* __restrict__ logits,
                   const T* __restrict__ residual, const float* __restrict__ bias, long long outRow, long long outPlane,
                   long long frameRow, long long framePlane, int frameHeight, int frameWidth, int top, int left,
                   int width, int first, int columns) {
    using S = Shape<T, R>;
    constexpr int across = S::pixels + 2 * kReach;
    __shared__ __align__(16) T staged[S::pixels * S::logits + VECTOR / sizeof(T)];
    __shared__ __align__(16) float scaled[S::logits];
    __shared__ __align__(16) float4 around[kSide][across];

    const int begin = blockIdx.x * S::pixels, count = min(S::pixels, columns - begin), row = blockIdx.y;
    const long long pixel = static_cast<long long>(row) * width + first + begin;
    const int offset = stage<S::threads>(staged, logits, pixel * S::logits, count * S::logits);
    for (int i = threadIdx.x; i < S::logits; i += S::threads) scaled[i] = bias[i] * kLog2e;
    for (int i = threadIdx.x; i < kSide * across; i += S::threads) {
        const int y = clampTo(top + row + i / across - kReach, 0, frameHeight - 1);
        const int x = clampTo(left + first + begin + i % across - kReach, 0, frameWidth - 1);
        const Sample* sample = frame + y * frameRow + x;
        around[i / across][i % across] =
            make_float4(toUnit(sample[0]), toUnit(sample[framePlane]), toUnit(sample[2 * framePlane]), 0.0f);
    }
    __syncthreads();

    const int p = threadIdx.x / R, v = threadIdx.x % R;
    if (p >= count)
        return;
    const T* mine = staged + offset + p * S::logits + v * R;
    const auto exponents = [&](int tap, float (&z)[R]) {  // z = (logit + bias) * log2(e), exponents of 2
        const auto logit = *reinterpret_cast<const Pack<T, R>*>(mine + tap * S::subpixels);
        const auto add = *reinterpret_cast<const Pack<float, R>*>(scaled + tap * S::subpixels + v * R);
#pragma unroll
        for (int u = 0; u < R; ++u) z[u] = fmaf(static_cast<float>(logit.at[u]), kLog2e, add.at[u]);
    };

    float most[R], z[R];
    exponents(0, most);
#pragma unroll 6
    for (int tap = 1; tap < kTaps; ++tap) {
        exponents(tap, z);
#pragma unroll
        for (int u = 0; u < R; ++u) most[u] = fmaxf(most[u], z[u]);
    }

    float sum[R] = {}, colour[3][R] = {};
#pragma unroll 1
    for (int j = 0; j < kSide; ++j) {
#pragma unroll
        for (int i = 0; i < kSide; ++i) {
            exponents(kSide * j + i, z);
            const float4 rgb = around[j][p + i];
#pragma unroll
            for (int u = 0; u < R; ++u) {
                const float weight = powerOfTwo(z[u] - most[u]);
                sum[u] += weight;
                colour[0][u] = fmaf(weight, rgb.x, colour[0][u]);
                colour[1][u] = fmaf(weight, rgb.y, colour[1][u]);
                colour[2][u] = fmaf(weight, rgb.z, colour[2][u]);
            }
        }
    }

#pragma unroll
    for (int u = 0; u < R; ++u) sum[u] = 1.0f / sum[u];
#pragma unroll
    for (int c = 0; c < 3; ++c) {
        const int channel = c * S::subpixels + v * R;
        const auto add = *reinterpret_cast<const Pack<T, R>*>(residual + (pixel + p) * (3 * S::subpixels) + channel);
        Pack<Sample, R> result;
#pragma unroll
        for (int u = 0; u < R; ++u)
            result.at[u] = fromUnit<Sample>(
                fmaf(colour[c][u], sum[u], static_cast<float>(add.at[u]) + bias[S::logits + channel + u]));
        Sample* to =
            out + c * outPlane + (static_cast<long long>(row) * R + v) * outRow + static_cast<long long>(begin + p) * R;
        *reinterpret_cast<Pack<Sample, R>*>(to) = result;
    }
}
