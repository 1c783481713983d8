// 3x3 convolutions by Winograd's F(4x4, 3x3): 36 products for 16 results, where a plain convolution takes 144.
//
//     out = A' [(G k G') * (B' in B)] A      for each 4x4 pixels of a channel, from 6x6 pixels of every input channel
//
// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.) The two transforms are here, bound by
// memory; in between stand 36 matrix products, which the caller leaves to a library. B' in B comes with what a batch norm
// and a ReLU before the convolution leave to do, a clamp of each channel, and with joining the pieces that the channels
// come in; A' m A comes with the bias and a ReLU.
//
// Layouts: pieces and out [rows, width, channels]; products [36][tiles][channels], `plane` floats from one of the 36
// to the next, tiles row by row.

#include <cstring>
#include <limits>

#include "native.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors pass between functions, but all of those are inlined
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

namespace {

constexpr int kOut = 4, kIn = 6, kProducts = kIn * kIn;

// Channels at a time: a vector, in as many registers as it takes, and one by one for the last few.
#if defined(__GNUC__) || defined(__clang__)
constexpr int kLanes = 16;
typedef float Wide __attribute__((vector_size(kLanes * sizeof(float))));
INLINE Wide most(const Wide &a, const Wide &b) { return a < b ? b : a; }
INLINE Wide least(const Wide &a, const Wide &b) { return b < a ? b : a; }
#else
constexpr int kLanes = 1;
using Wide = float;
#endif
INLINE float most(float a, float b) { return a < b ? b : a; }  // not-a-number as `a` stays
INLINE float least(float a, float b) { return b < a ? b : a; }

struct Split {
    const float *const *pieces;
    const int *channels;
    int count;
    const float *low, *high, *rest;  // of every channel of all pieces; rest: what lies outside the picture
    float *out;
    std::ptrdiff_t plane;
    int height, width, all, first;  // first: the picture's row that is the first tiles' first
};

struct Join {
    const float *in, *bias;
    float *out, bottom;
    std::ptrdiff_t plane;
    int rows, width, channels;
};

template <typename Channels>
INLINE Channels load(const float *from) {
    Channels values;
    std::memcpy(&values, from, sizeof values);
    return values;
}

template <typename Channels>
INLINE void store(float *to, const Channels &values) {
    std::memcpy(to, &values, sizeof values);
}

// B' for one row or column, whose values lie `step` apart.
template <typename Channels>
INLINE void splitSix(const Channels *d, Channels *out, int step) {
    const Channels d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    const Channels a = d4 - 4.0f * d2, b = d3 - 4.0f * d1, c = d4 - d2, e = 2.0f * (d3 - d1);
    out[0] = 4.0f * d0 - 5.0f * d2 + d4;
    out[step] = a + b;
    out[2 * step] = a - b;
    out[3 * step] = c + e;
    out[4 * step] = c - e;
    out[5 * step] = 4.0f * d1 - 5.0f * d3 + d5;
}

// A' for one row or column.
template <typename Channels>
INLINE void joinSix(const Channels *m, Channels *out, int step) {
    const Channels a = m[step] + m[2 * step], b = m[step] - m[2 * step];
    const Channels c = m[3 * step] + m[4 * step], d = m[3 * step] - m[4 * step];
    out[0] = m[0] + a + c;
    out[step] = b + 2.0f * d;
    out[2 * step] = a + 4.0f * c;
    out[3 * step] = b + 8.0f * d + m[5 * step];
}

// pixels: the 6x6 of one piece, each at its first channel; null, if the tile is at the picture's edge, outside it.
template <bool Edge, typename Channels>
INLINE void splitChannels(const Split &job, const float *const *pixels, int start, float *out, int at) {
    const Channels bottom = load<Channels>(job.low + start + at), top = load<Channels>(job.high + start + at);
    const Channels rest = load<Channels>(job.rest + start + at);
    Channels half[kProducts];
    UNROLL for (int j = 0; j < kIn; ++j) {
        Channels column[kProducts];
        UNROLL for (int i = 0; i < kProducts; i += kIn)
            column[i] = Edge && !pixels[i + j] ? rest : least(most(load<Channels>(pixels[i + j] + at), bottom), top);
        splitSix(column, half + j, kIn);
    }
    UNROLL for (int i = 0; i < kIn; ++i) {
        Channels row[kIn];
        splitSix(half + i * kIn, row, 1);
        UNROLL for (int j = 0; j < kIn; ++j) store(out + (i * kIn + j) * job.plane + at, row[j]);
    }
}

// pixels: the 4x4 that the tile gives, null where the picture has ended.
template <typename Channels>
INLINE void joinChannels(const Join &job, const float *in, float *const *pixels, int at) {
    const Channels bias = load<Channels>(job.bias + at), bottom = Channels{} + job.bottom;
    Channels half[kOut * kIn];
    UNROLL for (int j = 0; j < kIn; ++j) {
        Channels column[kProducts];
        UNROLL for (int i = 0; i < kProducts; i += kIn) column[i] = load<Channels>(in + (i + j) * job.plane + at);
        joinSix(column, half + j, kIn);
    }
    UNROLL for (int i = 0; i < kOut; ++i) {
        Channels row[kOut];
        joinSix(half + i * kIn, row, 1);
        UNROLL for (int j = 0; j < kOut; ++j)
            if (float *pixel = pixels[i * kOut + j]) store(pixel + at, most(row[j] + bias, bottom));
    }
}

template <bool Edge>
INLINE void splitPiece(const Split &job, const float *const *pixels, int channels, int start, float *out) {
    int at = 0;
    for (; at + kLanes <= channels; at += kLanes) splitChannels<Edge, Wide>(job, pixels, start, out, at);
    for (; at < channels; ++at) splitChannels<Edge, float>(job, pixels, start, out, at);
}

WIDEST void splitTiles(const Split &job, int from, int to) {
    const int across = (job.width + kOut - 1) / kOut;
    for (int n = from; n < to; ++n) {
        const int top = job.first + n / across * kOut - 1, left = n % across * kOut - 1;
        const bool edge = top < 0 || left < 0 || top + kIn > job.height || left + kIn > job.width;
        for (int k = 0, start = 0; k < job.count; start += job.channels[k++]) {
            const int channels = job.channels[k];
            const float *pixels[kProducts];
            for (int i = 0; i < kProducts; ++i) {
                const int y = top + i / kIn, x = left + i % kIn;
                const bool inside = y >= 0 && y < job.height && x >= 0 && x < job.width;
                const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(y) * job.width + x;
                pixels[i] = inside ? job.pieces[k] + pixel * channels : nullptr;
            }
            float *out = job.out + static_cast<std::ptrdiff_t>(n) * job.all + start;
            if (edge)
                splitPiece<true>(job, pixels, channels, start, out);
            else
                splitPiece<false>(job, pixels, channels, start, out);
        }
    }
}

WIDEST void joinTiles(const Join &job, int from, int to) {
    const int across = (job.width + kOut - 1) / kOut;
    for (int n = from; n < to; ++n) {
        float *pixels[kOut * kOut];
        for (int i = 0; i < kOut * kOut; ++i) {
            const int y = n / across * kOut + i / kOut, x = n % across * kOut + i % kOut;
            const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(y) * job.width + x;
            pixels[i] = y < job.rows && x < job.width ? job.out + pixel * job.channels : nullptr;
        }
        const float *in = job.in + static_cast<std::ptrdiff_t>(n) * job.channels;
        int at = 0;
        for (; at + kLanes <= job.channels; at += kLanes) joinChannels<Wide>(job, in, pixels, at);
        for (; at < job.channels; ++at) joinChannels<float>(job, in, pixels, at);
    }
}

int tiles(int rows, int width) { return ((rows + kOut - 1) / kOut) * ((width + kOut - 1) / kOut); }

}  // namespace

// Rows first .. first + rows of the picture that the pieces are, clamped and transformed.
EXPORT void vsduf_winograd_split(const float *const *pieces, const int *channels, int count, const float *low,
                                 const float *high, const float *rest, float *out, std::ptrdiff_t plane, int height,
                                 int width, int first, int rows, int threads) {
    int all = 0;
    for (int k = 0; k < count; ++k) all += channels[k];
    const Split job = {pieces, channels, count, low, high, rest, out, plane, height, width, all, first};
    share(splitTiles, job, tiles(rows, width), kOut * kOut * all, threads);
}

// The convolution's results, [rows, width, channels], with their bias, and not under zero if `relu`.
EXPORT void vsduf_winograd_join(const float *in, std::ptrdiff_t plane, const float *bias, float *out, int rows, int width,
                                int channels, int relu, int threads) {
    const float bottom = relu ? 0.0f : -std::numeric_limits<float>::infinity();
    const Join job = {in, bias, out, bottom, plane, rows, width, channels};
    share(joinTiles, job, tiles(rows, width), kOut * kOut * channels, threads);
}
