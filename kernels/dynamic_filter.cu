// Dynamic upsampling filters, the network's last step and the picture's only one: bias, softmax over 25 taps, 5x5
// filtering of the centre frame, residual, sub-pixel shuffle, rounding. The same equation as vsduf/ops.py.
//
//   out[c, y*R + v, x*R + u] = sum_t softmax_t(logits[y, x, t, s] + bias[t, s]) * frame[c, y + t/5 - 2, x + t%5 - 2]
//                              + residual[y, x, c, s] + bias[25 + c, s],            s = v*R + u
//
// Layouts: logits [rows, width, 25, R*R] and residual [rows, width, 3, R*R] contiguous and 16-byte aligned, of which
// the columns from `first` on are wanted; bias float [28, R*R]; frame, the source's own samples, [3, H, W] at any
// stride, read where logits' (0, 0) is (top, left), the nearest pixel standing for those outside; out [3, R*rows,
// R*columns], the same sample type as frame.
//
// A block makes 32 (float: 16) pixels of a row. It brings their logits, 25 KB for R = 4, into shared memory with
// 16-byte loads, and its 36x5 neighbourhood as floats; a thread then makes the R samples of one sub-pixel row in
// three colours. In shared memory neighbouring threads' vectors lie in different banks for R = 2 and 4. Bound by
// reading the logits: a pixel takes 28*R*R*sizeof(T) + 3 samples in and 3*R*R samples out, 947 bytes for R = 4, half
// logits and 8-bit pictures: 123 MB for 480x270, which 3.35 TB/s move in 37 us. By count (not measured) the
// arithmetic, about 300 instructions for a sample in three colours, takes 132 multiprocessors of that chip less than
// that.

#include "samples.cuh"

constexpr int kTaps = 25, kSide = 5, kReach = 2;
constexpr float kLog2e = 1.44269504f;

template <typename T, int R>
struct Shape {
    static constexpr int subpixels = R * R;
    static constexpr int pixels = 64 / sizeof(T);
    static constexpr int threads = pixels * R;
    static constexpr int logits = kTaps * subpixels;
};

// 2^x; what lies below float's range is 0.
__device__ __forceinline__ float powerOfTwo(float x) {
#ifdef CUDA_ON_CPU
    return exp2f(x);
#else
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#endif
}

// Copies from[start] to from[start + count - 1] in whole vectors: to[i + offset] = from[start + i], the offset is
// returned.
template <int Threads, typename T>
__device__ __forceinline__ int stage(T* to, const T* __restrict__ from, long long start, int count) {
    constexpr int N = kVector / sizeof(T);
    const int offset = static_cast<int>(start % N), end = offset + count;
    from += start - offset;
    for (int i = threadIdx.x; i < end / N; i += Threads)
        reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(from)[i];
    for (int i = end / N * N + threadIdx.x; i < end; i += Threads) to[i] = from[i];
    return offset;
}

template <typename T, typename Sample, int R>
__global__ void __launch_bounds__(Shape<T, R>::threads) dynamic_filter(
    Sample* __restrict__ out, const Sample* __restrict__ frame, const T* __restrict__ logits, const T* __restrict__ residual,
    const float* __restrict__ bias, long long outRow, long long outPlane, long long frameRow, long long framePlane,
    int frameHeight, int frameWidth, int top, int left, int width, int first, int columns) {
    using S = Shape<T, R>;
    constexpr int across = S::pixels + 2 * kReach;
    __shared__ __align__(16) T staged[S::pixels * S::logits + kVector / sizeof(T)];
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
    if (p >= count) return;
    const T* mine = staged + offset + p * S::logits + v * R;
    const auto exponents = [&](int tap, float (&z)[R]) {  // of two: logit and bias in units of log2(e)
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
        Sample* to = out + c * outPlane + (static_cast<long long>(row) * R + v) * outRow + static_cast<long long>(begin + p) * R;
        *reinterpret_cast<Pack<Sample, R>*>(to) = result;
    }
}
