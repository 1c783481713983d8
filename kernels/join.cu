// The input of a dense block (or of the merge): batch norm, ReLU and concatenation in one pass, since BN + ReLU is a
// clamp whose slope and offset live in the convolution behind it.
//
//   out[y, x, c] = clamp(piece(c)[y, x, c - start of its piece], low[c], high[c])     inside,     padding[c] on the rim
//
// Layouts: out [height + 2 rim, width + 2 rim, F] with rim 0 or 1; the first piece is [height, width, 64], the
// others [height, width, growth], all contiguous; bounds are float [3, F]: low, high, padding. N channels a thread, 16
// bytes or what divides the growth; threadIdx.x goes over the channels, so a warp writes consecutive bytes. Bound by
// bytes: each channel read once and written once, 2 * F * sizeof(T) a pixel: 768 for F = 192 in half.

#include "samples.cuh"

constexpr int kFirst = 64, kPieces = 32, kSteps = 4;  // channels of the first piece, most pieces, pixels of a thread

template <typename T>
struct Pieces {
    const T* at[kPieces];
};

template <typename T, int N>
__global__ void __launch_bounds__(256) join(T* __restrict__ out, const __grid_constant__ Pieces<T> pieces,
                                            const float* __restrict__ bounds, int growth, int height, int width, int rim) {
    const int features = blockDim.x * N, channel = threadIdx.x * N;
    const int k = channel < kFirst ? 0 : 1 + (channel - kFirst) / growth;
    const int stride = k == 0 ? kFirst : growth;
    const T* __restrict__ piece = pieces.at[k] + (k == 0 ? channel : (channel - kFirst) % growth);
    const auto low = *reinterpret_cast<const Pack<float, N>*>(bounds + channel);
    const auto high = *reinterpret_cast<const Pack<float, N>*>(bounds + features + channel);
    const int y = static_cast<int>(blockIdx.y) - rim, across = width + 2 * rim;
    int column = blockIdx.x * blockDim.y * kSteps + threadIdx.y;
#pragma unroll
    for (int step = 0; step < kSteps; ++step, column += blockDim.y) {
        if (column >= across) return;
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
        *reinterpret_cast<Pack<T, N>*>(out + (static_cast<long long>(blockIdx.y) * across + column) * features + channel) = to;
    }
}
