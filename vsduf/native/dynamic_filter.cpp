// Dynamic upsampling filters on the CPU: softmax over 25 taps, 5x5 filtering of the centre frame, residual, sub-pixel
// shuffle, rounding, in one pass. The same equation as vsduf/network/dynamic_upsample.py and kernels/dynamic_filter.cu.
//
//   out[y*R + v, x*R + u, c] = sum_t softmax_t(logits[y, x, t, s] + bias[t, s]) * frame[y + t/5 - 2, x + t%5 - 2, c]
//                              + residual[y, x, c, s] + bias[25 + c, s],            s = v*R + u
//
// Layouts: logits [rows, width, 25, R*R], residual [rows, width, 3, R*R], bias [28, R*R], frame three padded planes whose pixel (0, 0)
// is the tap of pixel (0, 0) up and left by two. Bound by reading the logits once: 1.6 KB a pixel for R = 4.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "native.h"

namespace {

constexpr int kTaps = 25;

struct Job {
    const float *logits, *residual, *bias, *frame;
    void *out[3];
    std::ptrdiff_t frameRow, framePlane, outRow;  // in samples
    int width, first, last;                       // pixels of a row of logits; those of them that are written
};

// e^x for x <= 0: 2^(n + f) with a degree-5 polynomial for 2^f, relative error under 3e-7.
INLINE float expNegative(float x) {
    float t = std::max(x, -87.0f) * 1.44269504f;
    float n = t + 12582912.0f;  // rounds to an integer in the low mantissa bits
    std::int32_t bits;
    std::memcpy(&bits, &n, 4);
    float f = t - (n - 12582912.0f);
    float p = 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    std::int32_t power = static_cast<std::int32_t>((static_cast<std::uint32_t>(bits) - 0x4B400000u + 127u) << 23);
    float two;
    std::memcpy(&two, &power, 4);
    return p * two;
}

template <typename Sample>
INLINE Sample toSample(float value) {
    if constexpr (std::is_same_v<Sample, float>) {
        return value;
    } else {
        constexpr float peak = static_cast<float>(static_cast<Sample>(~Sample{0}));
        float scaled = std::min(std::max(value * peak, 0.0f), peak);
        return static_cast<Sample>(static_cast<std::int32_t>(scaled + 0.5f));
    }
}

template <int R, typename Sample>
INLINE void filterRow(const Job &job, int row) {
    constexpr int S = R * R;
    const float *frame = job.frame + row * job.frameRow, *bias = job.bias;
    for (int x = job.first; x < job.last; ++x) {
        const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(row) * job.width + x;
        const float *logits = job.logits + pixel * kTaps * S;
        const float *residual = job.residual + pixel * 3 * S;
        float most[S], sum[S] = {}, colour[3][S] = {};
        for (int s = 0; s < S; ++s) most[s] = logits[s] + bias[s];
        for (int t = 1; t < kTaps; ++t)
            for (int s = 0; s < S; ++s) most[s] = std::max(most[s], logits[t * S + s] + bias[t * S + s]);
        for (int t = 0; t < kTaps; ++t) {
            const float *tap = frame + (t / 5) * job.frameRow + x + t % 5;
            const float r = tap[0], g = tap[job.framePlane], b = tap[2 * job.framePlane];
            for (int s = 0; s < S; ++s) {
                const float weight = expNegative(logits[t * S + s] + bias[t * S + s] - most[s]);
                sum[s] += weight;
                colour[0][s] += weight * r;
                colour[1][s] += weight * g;
                colour[2][s] += weight * b;
            }
        }
        for (int c = 0; c < 3; ++c) {
            Sample *out = static_cast<Sample *>(job.out[c]) + static_cast<std::ptrdiff_t>(row) * R * job.outRow +
                          static_cast<std::ptrdiff_t>(x - job.first) * R;
            Sample done[S];
            for (int s = 0; s < S; ++s)
                done[s] = toSample<Sample>(colour[c][s] / sum[s] + residual[c * S + s] + bias[(kTaps + c) * S + s]);
            for (int v = 0; v < R; ++v) std::memcpy(out + v * job.outRow, done + v * R, R * sizeof(Sample));
        }
    }
}

#define ROWS(NAME, R, SAMPLE) \
    WIDEST void NAME(const Job &job, int from, int to) { \
        for (int row = from; row < to; ++row) filterRow<R, SAMPLE>(job, row); \
    }
ROWS(rows2u8, 2, std::uint8_t)
ROWS(rows3u8, 3, std::uint8_t)
ROWS(rows4u8, 4, std::uint8_t)
ROWS(rows2u16, 2, std::uint16_t)
ROWS(rows3u16, 3, std::uint16_t)
ROWS(rows4u16, 4, std::uint16_t)
ROWS(rows2f32, 2, float)
ROWS(rows3f32, 3, float)
ROWS(rows4f32, 4, float)

using Rows = void (*)(const Job &, int, int);
constexpr Rows kRows[3][3] = {{rows2u8, rows3u8, rows4u8}, {rows2u16, rows3u16, rows4u16}, {rows2f32, rows3f32, rows4f32}};

}  // namespace

// sample: 0 = uint8, 1 = uint16, 2 = float. Returns 0, or 1 for a scale or sample type that does not exist.
EXPORT int vsduf_dynamic_filter(const float *logits, const float *residual, const float *bias, const float *frame,
                                void *const *out, std::ptrdiff_t frameRow, std::ptrdiff_t framePlane,
                                std::ptrdiff_t outRow, int rows, int width, int first, int last, int scale, int sample, int threads) {
    if (scale < 2 || scale > 4 || sample < 0 || sample > 2) return 1;
    const Job job = {logits, residual, bias, frame, {out[0], out[1], out[2]}, frameRow, framePlane, outRow, width, first, last};
    const Rows run = kRows[sample][scale - 2];
    share(run, job, rows, static_cast<std::ptrdiff_t>(last - first) * kTaps * scale * scale, threads);
    return 0;
}
