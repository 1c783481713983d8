// The network's layers as one thread computes them for a rectangle of a picture, from input to output.
//
// Channels come in strips of 16, filled up with zeros: features are [H, W, strips, 16]. One build of these functions
// exists for each instruction set (portable.cpp, avx2.cpp, avx512.cpp); layers.h holds their code.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "memory.h"

namespace vsduf {

constexpr int kStrip = 16;               // channels
constexpr int kTile = 4;                 // pixels of a Winograd tile's output, each way
constexpr int kPatch = 6;                // pixels of its input, each way
constexpr int kProducts = 36;            // matrix products of a tile
constexpr int kTiles = 48;               // tiles that one thread transforms at a time, at most
constexpr int kWidest = kTiles * kTile;  // pixels of a task's row, at most
constexpr int kTallest = 32;             // rows of a task, at most
constexpr int kTaps = 25;
constexpr int kMargin = 2;  // pixels that the dynamic filters see beyond a pixel

struct Rect {
    int top, left, bottom, right;
    int height() const { return bottom - top; }
    int width() const { return right - left; }
};

/* A 1x1 convolution's weights, [output strips][input channels][16]. */
struct Matrix {
    int inputs = 0, outputs = 0;  // strips
    Buffer data;
};

/* A 3x3 convolution's weights, transformed: [36][output strips][input channels][16]. */
struct Kernel {
    int inputs = 0, outputs = 0;
    Buffer data;
};

enum class Sample { u8, u16, f16, f32 };

/* Three planes of a frame or picture; strides in bytes. */
struct Planes {
    unsigned char *data[3];
    std::ptrdiff_t stride[3];
    Sample sample;
};

/* Where a tile's pixel (0, 0) lies in its source frame, whose outermost pixels are repeated beyond its borders. */
struct Source {
    Planes planes;
    int height, width;  // of the frame
    int top, left;
};

/* Some channels of a feature: pixels are `step` floats apart. */
struct Piece {
    const float *data;
    int strips;
    std::ptrdiff_t step;
};

/* The input of a 3x3 convolution: pieces joined along channels, clamped, and mixed by a 1x1 convolution where there is
 * one. inside: the pixels that exist; beyond them `padding` is read. */
struct Input {
    const Piece *pieces;
    int count, strips;
    const float *low, *high;
    const Matrix *mix;   // null: none
    const float *floor;  // of each of the mixed channels
    const float *padding;
    Rect inside;
    int width;  // pixels of a feature's row
};

struct StemJob {
    const Source *source;
    int height, width;
    const Matrix *weights;  // of 3x3x3 samples and a constant 1, which the bias goes with
    float *out;
};

struct BlockJob {
    Input input;
    const Kernel *kernel;
    int first, last;  // output strips that are wanted
    const float *bias;
    float *out;
};

struct SumJob {
    const Piece *terms;  // of equal strips
    int count, width;
    float *out;
};

struct FinishJob {
    Input input;
    const Kernel *merge;
    const float *mergeBias;
    const Matrix *heads;  // both heads' first layers, the filters' first
    const float *headsLow;
    const Matrix *filters, *residual;
    const float *bias;  // [28, R * R], of the filters' and the residual's results
    int scale;
    const Source *source;
    const Planes *picture;
    int top, left;  // the picture's pixel of the tile's pixel (0, 0), LR
};

/* A network's largest layers, in strips, by which working memory is counted. */
struct Widths {
    int input, output, merge, hidden, logits;
};

/* A thread's working memory. */
struct Scratch {
    Buffer ring, panels, split, products, merged, hidden, logits, patch;
};

/* The functions of one instruction set. Rectangles begin a multiple of kTile from their layer's first pixel, are no
 * wider than kWidest and no taller than kTallest. */
struct Kernels {
    const char *name;
    std::array<std::size_t, 8> (*scratchSizes)(const Widths &);  // floats
    Scratch (*scratch)(const Widths &);
    void (*stem)(const StemJob &, const Rect &, Scratch &);
    void (*block)(const BlockJob &, const Rect &, Scratch &);
    void (*sum)(const SumJob &, const Rect &);
    void (*finish)(const FinishJob &, const Rect &, Scratch &);
};

extern const Kernels portableKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels, avx512Kernels;
#endif

/* The fastest that this processor runs first. */
std::vector<const Kernels *> usableKernels();

}  // namespace vsduf
