// The passes of the trunk on the CPU that are no convolutions; each is bound by memory, and reads and writes once.
// Pictures are [pixels, channels], pieces of one lie apart; `steps` are floats from one pixel to the next.

#include "native.h"

namespace {

struct Clamp {
    const float *const *pieces;
    const int *channels;
    int count;
    const float *low, *high;
    float *out;
    int all;
};

struct Sum {
    const float *const *terms;
    const int *steps;
    int count;
    float *out;
    int channels;
};

WIDEST void clampPixels(const Clamp &job, int from, int to) {
    for (int n = from; n < to; ++n)
        for (int k = 0, start = 0; k < job.count; start += job.channels[k++]) {
            const int channels = job.channels[k];
            const float *in = job.pieces[k] + static_cast<std::ptrdiff_t>(n) * channels;
            const float *low = job.low + start, *high = job.high + start;
            float *out = job.out + static_cast<std::ptrdiff_t>(n) * job.all + start;
            for (int c = 0; c < channels; ++c) out[c] = std::min(std::max(in[c], low[c]), high[c]);
        }
}

WIDEST void sumPixels(const Sum &job, int from, int to) {
    for (int n = from; n < to; ++n) {
        float *out = job.out + static_cast<std::ptrdiff_t>(n) * job.channels;
        const auto term = [&](int k) { return job.terms[k] + static_cast<std::ptrdiff_t>(n) * job.steps[k]; };
        const float *a = term(0), *b = term(1), *c = term(job.count - 1);
        if (job.count == 2)
            for (int i = 0; i < job.channels; ++i) out[i] = a[i] + b[i];
        else
            for (int i = 0; i < job.channels; ++i) out[i] = a[i] + b[i] + c[i];
    }
}

}  // namespace

// Clamps each channel of pieces to low .. high, into one array [pixels, all channels].
EXPORT void vsduf_clamp(const float *const *pieces, const int *channels, int count, const float *low, const float *high,
                        float *out, int pixels, int threads) {
    int all = 0;
    for (int k = 0; k < count; ++k) all += channels[k];
    share(clampPixels, Clamp{pieces, channels, count, low, high, out, all}, pixels, all, threads);
}

// Adds two or three terms, in that order.
EXPORT void vsduf_sum(const float *const *terms, const int *steps, int count, float *out, int channels, int pixels,
                      int threads) {
    share(sumPixels, Sum{terms, steps, count, out, channels}, pixels, channels, threads);
}
