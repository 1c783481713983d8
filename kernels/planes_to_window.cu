// Converts a tile of a source frame to the stem's input: planes R, G, B of any sample type to channels-last pixels.
//
//   out[y, x, c] = planes[c, clamp(top + y), clamp(left + x)] / peak     for c < 3,     0 for the other channels
//
// Layouts: out [height, width, 8] half or [height, width, 4] float, VECTOR = 16 bytes a pixel; planes [3, H, W], any
// stride of rows and planes. Pixels outside the frame read the nearest inside. A thread makes a pixel: a warp reads 32
// neighbours of each plane and writes 512 bytes. Bound by bytes: 3 samples read and 16 bytes written a pixel, 19 for
// 8-bit sources, 2.5 MB for 480x270.

#include "samples.cuh"

template <typename T, typename Sample>
__global__ void __launch_bounds__(THREADS)
    planes_to_window(T* __restrict__ out, const Sample* __restrict__ planes, long long rowStride, long long planeStride,
                     int frameHeight, int frameWidth, int top, int left, int width) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x >= width)
        return;
    const int row = clampTo(top + y, 0, frameHeight - 1), column = clampTo(left + x, 0, frameWidth - 1);
    const Sample* sample = planes + row * rowStride + column;
    Pack<T, VECTOR / sizeof(T)> pixel = {};
#pragma unroll
    for (int c = 0; c < 3; ++c) pixel.at[c] = static_cast<T>(toUnit(sample[c * planeStride]));
    reinterpret_cast<Pack<T, VECTOR / sizeof(T)>*>(out)[static_cast<long long>(y) * width + x] = pixel;
}
