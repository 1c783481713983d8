// The input of a dense block (or of the merge): concatenation, batch norm and ReLU in one pass. BN + ReLU is a clamp
// here; its slope and offset are folded into the convolution behind it.
//
//   out[y, x, c] = clamp(piece(c)[y, x, c - start of its piece], low[c], high[c])     inside,     padding[c] on the rim
//
// Layouts: out [height + 2 rim, width + 2 rim, F] with rim 0 or 1; the first piece is [height, width, stem], the others
// [height, width, growth], at most PIECES in all, contiguous; bounds are float [3, F]: low, high, padding. N channels a
// thread, 16 bytes or less where that does not divide stem and growth, and STEPS pixels; threadIdx.x counts the
// channels, so a warp writes consecutive bytes. Bound by bytes: each channel read once and written once,
// 2 * F * sizeof(T) a pixel: 768 for F = 192 in half.

#include "samples.cuh"

template <typename T>
struct Pieces {
    const T* at[PIECES];
};

template <typename T, int N>
__global__ void __launch_bounds__(THREADS)
    join(T* __restrict__ out, const __grid_constant__ Pieces<T> pieces, const float* __restrict__ bounds, int stem,
         int growth, int height, int width, int rim) {
    const int features = blockDim.x * N, channel = threadIdx.x * N;
    const int k = channel < stem ? 0 : 1 + (channel - stem) / growth;
    const int stride = k == 0 ? stem : growth;
    const T* __restrict__ piece = pieces.at[k] + (k == 0 ? channel : (channel - stem) % growth);
    const auto low = *reinterpret_cast<const Pack<float, N>*>(bounds + channel);
    const auto high = *reinterpret_cast<const Pack<float, N>*>(bounds + features + channel);
    const int y = static_cast<int>(blockIdx.y) - rim, across = width + 2 * rim;
    int column = blockIdx.x * blockDim.y * STEPS + threadIdx.y;
#pragma unroll
    for (int step = 0; step < STEPS; ++step, column += blockDim.y) {
        if (column >= across)
            return;
        const int x = column - rim;
        const bool inside = x >= 0 && x < width && y >= 0 && y < height;
        Pack<T, N> to;
        if (inside) {
            to = *reinterpret_cast<const Pack<T, N>*>(piece + (static_cast<long long>(y) * width + x) * stride);
#pragma unroll
            for (int i = 0; i < N; ++i)
                to.at[i] = static_cast<T>(fminf(fmaxf(static_cast<float>(to.at[i]), low.at[i]), high.at[i]));
        } else {
#pragma unroll
            for (int i = 0; i < N; ++i) to.at[i] = static_cast<T>(bounds[2 * features + channel + i]);
        }
        const long long pixel = static_cast<long long>(blockIdx.y) * across + column;
        *reinterpret_cast<Pack<T, N>*>(out + pixel * features + channel) = to;
    }
}
