// A dense block's output: adds the partial sums of up to three neighbouring frames.
//
//   out[p, c] = sum_k part_k[p, first_k + c]
//
// Layouts: out [pixels, growth]; part k is [pixels, stride_k], its pointer already at first_k. N channels a thread.
// The sum is taken in float and rounded once. Bound by bytes: (parts + 1) * growth * sizeof(T) a pixel, 256 for three
// in half.

#include "samples.cuh"

template <typename T>
struct Sums {
    const T* at[3];
    int stride[3];
};

template <typename T, int N>
__global__ void __launch_bounds__(THREADS)
    accumulate(T* __restrict__ out, const __grid_constant__ Sums<T> sums, int count, int growth, long long packs) {
    const long long index = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (index >= packs)
        return;
    const int perPixel = growth / N, channel = static_cast<int>(index % perPixel) * N;
    const long long pixel = index / perPixel;
    float sum[N] = {};
#pragma unroll
    for (int k = 0; k < 3; ++k) {
        if (k >= count)
            break;
        const auto part = *reinterpret_cast<const Pack<T, N>*>(sums.at[k] + pixel * sums.stride[k] + channel);
#pragma unroll
        for (int i = 0; i < N; ++i) sum[i] += static_cast<float>(part.at[i]);
    }
    Pack<T, N> result;
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = static_cast<T>(sum[i]);
    reinterpret_cast<Pack<T, N>*>(out)[index] = result;
}
