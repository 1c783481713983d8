// A network's weights as the kernels read them: packed once, shared by all threads and tiles.
#pragma once

#include "kernels.h"

namespace vsduf {

/* weights: [inputs * 16][outputs * 16]; inputs and outputs in strips. */
Matrix packMatrix(const float *weights, int inputs, int outputs);

/* weights: [outputs * 16][inputs * 16][3][3]. */
Kernel packKernel(const float *weights, int inputs, int outputs);

Buffer copyOf(const float *values, std::size_t count);

/* A dense block: clamp, 1x1 convolution with its floor, 3x3 convolution to `growth` strips for each time offset. */
struct Block {
    Buffer low, high;
    Matrix mix;
    Buffer floor;
    Kernel kernel;
    Buffer bias;
};

struct Network {
    int scale = 0;
    Matrix stem;
    std::vector<Block> blocks;
    Buffer low, high, padding;
    Kernel merge;
    Buffer mergeBias;
    Matrix heads;
    Buffer headsLow;
    Matrix filters, residual;
    Buffer bias;

    Widths widths() const;
};

}  // namespace vsduf
