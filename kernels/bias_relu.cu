// Adds the bias and applies ReLU after a convolution whose library call does neither: one pass, in place.
//
//   x[p, c] = max(x[p, c] + bias[c], 0)
//
// Layouts: x [pixels, C] contiguous with C a multiple of a 16-byte vector, bias float [C]. threadIdx.x counts the
// channels, and a thread takes STEPS pixels. Bound by bytes: one read and one write, 2 * C * sizeof(T) a pixel: 1 KB
// for the merge's 256 channels in half.

#include "samples.cuh"

template <typename T>
__global__ void __launch_bounds__(THREADS)
    bias_relu(T* __restrict__ x, const float* __restrict__ bias, long long pixels) {
    constexpr int N = VECTOR / sizeof(T);
    const int channels = blockDim.x * N, channel = threadIdx.x * N;
    float add[N];
#pragma unroll
    for (int i = 0; i < N; ++i) add[i] = bias[channel + i];
    long long pixel = static_cast<long long>(blockIdx.x) * blockDim.y * STEPS + threadIdx.y;
#pragma unroll
    for (int step = 0; step < STEPS; ++step, pixel += blockDim.y) {
        if (pixel >= pixels)
            return;
        auto* at = reinterpret_cast<Pack<T, N>*>(x + pixel * channels + channel);
        Pack<T, N> values = *at;
#pragma unroll
        for (int i = 0; i < N; ++i)
            values.at[i] = static_cast<T>(fmaxf(static_cast<float>(values.at[i]) + add[i], 0.0f));
        *at = values;
    }
}
