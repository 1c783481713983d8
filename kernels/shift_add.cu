// The second half of a 3x3 convolution of few output channels: its nine taps are columns of one matrix product, and
// this kernel adds each tap's column at its pixel. cuDNN computes such convolutions as products 64 or 128 columns wide,
// of which 16 channels fill a quarter at most; nine times 16 fill them.
//
//   out[y, x, c] = sum_{j, i} product[y + j - 1, x + i - 1, 3 * j + i, c],     pixels outside the picture count as 0
//
// Layouts: product [height, width, 9, growth] and out [height, width, growth], contiguous. N channels a thread. The sum
// is taken in float and rounded once; the product was rounded to T before. Bound by bytes: a pixel's nine columns are
// read by nine pixels, from the second on from the cache, so 10 * growth * sizeof(T) a pixel: 320 for 16 in half.

#include "samples.cuh"

template <typename T, int N>
__global__ void __launch_bounds__(THREADS)
    shift_add(T* __restrict__ out, const T* __restrict__ product, int growth, int height, int width) {
    const int perPixel = growth / N, index = blockIdx.x * blockDim.x + threadIdx.x;
    const int x = index / perPixel, channel = index % perPixel * N, y = blockIdx.y;
    if (x >= width)
        return;
    float sum[N] = {};
#pragma unroll
    for (int tap = 0; tap < 9; ++tap) {
        const int row = y + tap / 3 - 1, column = x + tap % 3 - 1;
        if (row < 0 || row >= height || column < 0 || column >= width)
            continue;
        const long long pixel = static_cast<long long>(row) * width + column;
        const auto part = *reinterpret_cast<const Pack<T, N>*>(product + (pixel * 9 + tap) * growth + channel);
#pragma unroll
        for (int i = 0; i < N; ++i) sum[i] += static_cast<float>(part.at[i]);
    }
    Pack<T, N> result;
#pragma unroll
    for (int i = 0; i < N; ++i) result.at[i] = static_cast<T>(sum[i]);
    *reinterpret_cast<Pack<T, N>*>(out + (static_cast<long long>(y) * width + x) * growth + channel) = result;
}
