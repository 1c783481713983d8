// Dynamic upsampling filters: softmax over 25 taps, 5x5 filtering of the centre frame, residual, sub-pixel shuffle and
// rounding, in one pass. The same equation as vsduf/network/dynamic_upsample.py and kernels/dynamic_filter.cu.
//
//   out[y*R + v, x*R + u, c] = sum_t softmax_t(logits[y, x, t, s] + bias[t, s]) * frame[y + t/5 - 2, x + t%5 - 2, c]
//                              + residual[y, x, c, s] + bias[25 + c, s],            s = v*R + u
//
// Layouts: logits and residual in panels, channels t * R*R + s and c * R*R + s; bias [28, R*R]; frame [3] padded
// planes. The logits were written by the product just before and are still in the second cache. Bound by the 25 R*R
// exponentials.

struct Pixel {
    const float *logits, *residual;  // at the pixel's row of its panel
    const float *frame;              // at the first tap
    std::ptrdiff_t line, plane;      // floats of the frame's rows and planes
};

// e^x for x <= 0: 2^(n + f) with a degree-5 polynomial for 2^f, relative error under 3e-7.
INLINE Vector expNegative(const Vector &x) {
    const Vector t = most(x, all(-87.0f)) * 1.44269504f;
    const Vector n = t + 12582912.0f;  // rounds to an integer in the low mantissa bits
    const Vector f = t - (n - 12582912.0f);
    Vector p = f * 1.3333558e-3f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    typedef std::uint32_t Bits __attribute__((vector_size(sizeof(Vector))));
    return p * bitsOf<Vector>((bitsOf<Bits>(n) - 0x4B400000u + 127u) << 23);
}

/* Loads channels first .. first + count of a pixel from the strips of its panel. */
INLINE void gather(const float *panel, int first, int count, float *out) {
    for (int k = first; k < first + count; ++k) *out++ = panel[k / kStrip * kCell + k % kStrip];
}

/* Writes a pixel's sub-pixels into done [3][R*R]. 16 are computed at a time; with R = 2 and 3 some are unused. */
template <int R>
INLINE void filterPixel(const Pixel &pixel, const float *bias, float (*done)[kStrip]) {
    constexpr int S = R * R;
    alignas(64) float logits[kTaps][kStrip] = {}, residual[3][kStrip] = {};
    for (int t = 0; t < kTaps; ++t) {
        gather(pixel.logits, t * S, S, logits[t]);
        for (int s = 0; s < S; ++s) logits[t][s] += bias[t * S + s];
    }
    for (int c = 0; c < 3; ++c) {
        gather(pixel.residual, c * S, S, residual[c]);
        for (int s = 0; s < S; ++s) residual[c][s] += bias[(kTaps + c) * S + s];
    }
    for (int at = 0; at < S; at += kLanes) {
        Vector top = load(logits[0] + at), sum = {}, colour[3] = {};
        for (int t = 1; t < kTaps; ++t) top = most(top, load(logits[t] + at));
        for (int t = 0; t < kTaps; ++t) {
            const Vector weight = expNegative(load(logits[t] + at) - top);
            const float *tap = pixel.frame + t / 5 * pixel.line + t % 5;
            sum += weight;
            for (int c = 0; c < 3; ++c) colour[c] += weight * tap[c * pixel.plane];
        }
        for (int c = 0; c < 3; ++c) store(done[c] + at, colour[c] / sum + load(residual[c] + at));
    }
}

/* Writes the R x R samples of an LR pixel into each plane; (x, y): of the pixel in the picture. */
template <int R>
INLINE void filterPixelInto(const Planes &picture, int x, int y, const Pixel &pixel, const float *bias) {
    alignas(64) float done[3][kStrip];
    filterPixel<R>(pixel, bias, done);
    for (int c = 0; c < 3; ++c)
        for (int v = 0; v < R; ++v) {
            unsigned char *row = picture.data[c] + (static_cast<std::ptrdiff_t>(y) * R + v) * picture.stride[c];
            for (int u = 0; u < R; ++u)
                writeSample(row, static_cast<std::ptrdiff_t>(x) * R + u, done[c][v * R + u], picture.sample);
        }
}
