// The layers of kernels.h, made of products and transforms; each function computes one rectangle.
//
// A 3x3 layer computes its rectangle from top to bottom in steps of a few rows of tiles: it fills a ring of rows with
// its clamped or mixed input, two of which the next step uses again, transforms the step's tiles, multiplies, and
// transforms back. All of a step's working memory is the thread's own, and about as large as the second cache.

constexpr int kChunk = 4;  // output strips of a step that are multiplied before they are transformed back
constexpr std::ptrdiff_t kApart = kStrip + 16;  // floats between planes, so that they do not share the cache's sets
constexpr int kRingPixels = (kTile + 2) * (kWidest + 2);
constexpr int kMaxPanels = (kTiles + kPanel - 1) / kPanel;
constexpr int kStemInputs = 2;       // strips of 27 samples and a constant
constexpr int kGroup = 96 / kPanel;  // panels of pixels that go through the heads together

inline std::size_t panelFloats(int rows, int strips) {
    return static_cast<std::size_t>(Panels(rows).count) * strips * kCell;
}

inline std::ptrdiff_t splitPlane(int panels, int strips) { return panels * strips * kCell + kApart; }

/* The floats of Scratch's members, in their order. */
inline std::array<std::size_t, 8> scratchSizes(const Widths &w) {
    const int chunk = std::min(kChunk, std::max(w.output, w.merge));
    const int patch = (kWidest + 2 * kMargin) * (kTallest + 2 * kMargin);
    return {static_cast<std::size_t>(kRingPixels) * w.input * kStrip,
            panelFloats(kWidest + 2, std::max(w.input, kStemInputs)),
            kProducts * static_cast<std::size_t>(splitPlane(kMaxPanels, w.input)),
            kProducts * (static_cast<std::size_t>(kTiles) * chunk * kStrip + kApart),
            panelFloats(kTiles * kTile * kTile, w.merge),
            panelFloats(kGroup * kPanel, w.hidden),
            panelFloats(kGroup * kPanel, w.logits),
            3 * static_cast<std::size_t>(patch)};
}

inline Scratch scratch(const Widths &widths) {
    const std::array<std::size_t, 8> n = scratchSizes(widths);
    return {Buffer(n[0]), Buffer(n[1]), Buffer(n[2]), Buffer(n[3]),
            Buffer(n[4]), Buffer(n[5]), Buffer(n[6]), Buffer(n[7])};
}

/* Joins and clamps the pixels of a row, and writes pixel i's strip s to out + place(i) + s * step. */
template <typename Place>
INLINE void joinPixels(const Input &input, std::ptrdiff_t first, int count, float *out, std::ptrdiff_t step,
                       Place place) {
    const float *low = input.low, *high = input.high;
    for (int k = 0; k < input.count; ++k) {
        const Piece &piece = input.pieces[k];
        for (int i = 0; i < count; ++i) {
            const float *from = piece.data + (first + i) * piece.step;
            float *to = out + place(i);
            for (int s = 0; s < piece.strips; ++s)
                for (int at = 0; at < kStrip; at += kLanes) {
                    const int c = s * kStrip + at;
                    store(to + s * step + at, least(most(load(from + c), load(low + c)), load(high + c)));
                }
        }
        out += piece.strips * step;
        low += piece.strips * kStrip;
        high += piece.strips * kStrip;
    }
}

/* Writes a row of a 3x3 layer's input, from the pixel left of `left` on, into out [pixels][strips][16]. */
INLINE void fillRow(const Input &input, int y, int left, int pixels, float *out, Scratch &scratch) {
    const int row = input.strips * kStrip;
    const auto pad = [&](int from, int to) {
        for (int x = from; x < to; ++x) std::memcpy(out + x * row, input.padding, row * sizeof(float));
    };
    const Rect &inside = input.inside;
    if (y < inside.top || y >= inside.bottom)
        return pad(0, pixels);
    const int from = std::max(0, inside.left - (left - 1)), to = std::min(pixels, inside.right - (left - 1));
    pad(0, from);
    pad(to, pixels);
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(y) * input.width + left - 1 + from;
    if (!input.mix)
        return joinPixels(input, first, to - from, out + from * row, kStrip, [&](int i) { return i * row; });
    const Panels panels(to - from);
    float *packed = scratch.panels.data();
    for (int p = 0; p < panels.count; ++p) {
        const int start = panels.start(p);
        joinPixels(input, first + start, panels.start(p + 1) - start, packed + p * input.strips * kCell, kCell,
                   [](int i) { return i * kStrip; });
    }
    multiply(packed, input.strips * kCell, panels, input.strips, input.mix->data.data(), input.strips,
             inRows(out + from * row, row), input.floor);
}

/* Computes a 3x3 layer. place(y, x), counted from a step's corner, returns where the pixel's first strip is written,
 * null for nowhere; `apart` floats lie between strips there. done(top row, rows) is called after each step. */
template <typename Place, typename Done>
INLINE void convolve(const Input &input, const Kernel &kernel, int first, int last, const float *bias, bool relu,
                     const Rect &rect, std::ptrdiff_t apart, Scratch &scratch, Place place, Done done) {
    const int strips = input.strips, row = strips * kStrip;
    const int across = (rect.width() + kTile - 1) / kTile,
              down = std::max(1, std::min(kTiles / across, (rect.height() + kTile - 1) / kTile));
    const int pixels = across * kTile + 2, lines = down * kTile + 2;
    float *ring = scratch.ring.data(), *split = scratch.split.data(), *products = scratch.products.data();
    const auto line = [&](int y) {
        return ring + static_cast<std::ptrdiff_t>((y - rect.top + 1) % lines) * pixels * row;
    };
    for (int top = rect.top, filled = rect.top - 1; top < rect.bottom; top += down * kTile) {
        const int tiles = across * std::min(down, (rect.bottom - top + kTile - 1) / kTile);
        const Panels panels(tiles);
        for (const int end = top + tiles / across * kTile + 1; filled < end; ++filled)
            fillRow(input, filled, rect.left, pixels, line(filled), scratch);
        const std::ptrdiff_t plane = splitPlane(panels.count, strips);
        for (int p = 0; p < panels.count; ++p)
            for (int t = panels.start(p); t < panels.start(p + 1); ++t) {
                const float *rows[kPatch];
                for (int i = 0; i < kPatch; ++i)
                    rows[i] = line(top - 1 + t / across * kTile + i) + t % across * kTile * row;
                transformTile(rows, strips, split + p * strips * kCell + (t - panels.start(p)) * kStrip, plane);
            }
        const std::ptrdiff_t matrix = static_cast<std::ptrdiff_t>(strips) * kStrip * kStrip;
        for (int n = first; n < last; n += kChunk) {
            const int chunk = std::min(kChunk, last - n), width = chunk * kStrip;
            const std::ptrdiff_t result = static_cast<std::ptrdiff_t>(tiles) * width + kApart;
            for (int k = 0; k < kProducts; ++k)
                multiply(split + k * plane, strips * kCell, panels, strips,
                         kernel.data.data() + (k * kernel.outputs + n) * matrix, chunk,
                         inRows(products + k * result, width), nullptr);
            for (int t = 0; t < tiles; ++t)
                for (int s = 0; s < chunk; ++s) {
                    float *out[kTile * kTile];
                    for (int i = 0; i < kTile * kTile; ++i) {
                        const int y = t / across * kTile + i / kTile, x = t % across * kTile + i % kTile;
                        float *pixel = top + y < rect.bottom && rect.left + x < rect.right
                                           ? place(top + y, rect.left + x)
                                           : nullptr;
                        out[i] = pixel ? pixel + (n - first + s) * apart : nullptr;
                    }
                    untransformTile(products + t * width + s * kStrip, result, bias + (n + s) * kStrip, relu, out);
                }
        }
        done(top, std::min(down * kTile, rect.bottom - top));
    }
}

inline void stem(const StemJob &job, const Rect &rect, Scratch &scratch) {
    float *patch = scratch.patch.data(), *packed = scratch.panels.data();
    readPatch(*job.source, rect, 1, patch);
    const int line = rect.width() + 2, plane = line * (rect.height() + 2), row = job.weights->outputs * kStrip;
    const auto sample = [&](int c, int y, int x) {  // beyond the tile the convolution reads zeros
        const bool inside = y >= 0 && y < job.height && x >= 0 && x < job.width;
        return inside ? patch[c * plane + (y - rect.top + 1) * line + x - rect.left + 1] : 0.0f;
    };
    const Panels panels(rect.width());
    for (int y = rect.top; y < rect.bottom; ++y) {
        for (int p = 0; p < panels.count; ++p)
            for (int i = panels.start(p); i < panels.start(p + 1); ++i) {
                float *cell = packed + p * kStemInputs * kCell + (i - panels.start(p)) * kStrip;
                for (int k = 0; k < kStemInputs * kStrip; ++k)
                    cell[k / kStrip * kCell + k % kStrip] =
                        k < 27    ? sample(k / 9, y + k / 3 % 3 - 1, rect.left + i + k % 3 - 1)
                        : k == 27 ? 1.0f
                                  : 0.0f;
            }
        float *out = job.out + (static_cast<std::ptrdiff_t>(y) * job.width + rect.left) * row;
        multiply(packed, kStemInputs * kCell, panels, kStemInputs, job.weights->data.data(), job.weights->outputs,
                 inRows(out, row), nullptr);
    }
}

inline void block(const BlockJob &job, const Rect &rect, Scratch &scratch) {
    const std::ptrdiff_t row = (job.last - job.first) * kStrip;
    convolve(
        job.input, *job.kernel, job.first, job.last, job.bias, false, rect, kStrip, scratch,
        [&](int y, int x) { return job.out + (static_cast<std::ptrdiff_t>(y) * job.input.width + x) * row; },
        [](int, int) {});
}

inline void sum(const SumJob &job, const Rect &rect) {
    const int channels = job.terms[0].strips * kStrip;
    for (int y = rect.top; y < rect.bottom; ++y)
        for (int x = rect.left; x < rect.right; ++x) {
            const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(y) * job.width + x;
            for (int at = 0; at < channels; at += kLanes) {
                Vector total = load(job.terms[0].data + pixel * job.terms[0].step + at);
                for (int k = 1; k < job.count; ++k) total += load(job.terms[k].data + pixel * job.terms[k].step + at);
                store(job.out + pixel * channels + at, total);
            }
        }
}

template <int R>
INLINE void filterRows(const FinishJob &job, const Rect &rect, const Rect &step, Scratch &scratch) {
    const int pixels = step.width() * step.height(), merged = job.merge->outputs;
    const int middle = job.filters->inputs, hidden = job.heads->outputs, logits = job.filters->outputs;
    const int width = logits + job.residual->outputs;
    const std::ptrdiff_t line = rect.width() + 2 * kMargin, plane = line * (rect.height() + 2 * kMargin);
    for (int first = 0; first < pixels; first += kGroup * kPanel) {
        const int count = std::min(kGroup * kPanel, pixels - first), full = count / kPanel * kPanel;
        for (int part = 0; part < 2; ++part) {  // whole panels, and the last pixels' one
            const int start = part ? full : 0, size = part ? count - full : full;
            if (size == 0)
                continue;
            const Panels panels(size);
            const float *in = scratch.merged.data() + (first + start) / kPanel * merged * kCell;
            float *middles = scratch.hidden.data(), *ends = scratch.logits.data();
            multiply(in, merged * kCell, panels, merged, job.heads->data.data(), hidden, inPanels(middles, hidden),
                     job.headsLow);
            multiply(middles, hidden * kCell, panels, middle, job.filters->data.data(), logits, inPanels(ends, width),
                     nullptr);
            multiply(middles + middle * kCell, hidden * kCell, panels, hidden - middle, job.residual->data.data(),
                     width - logits, inPanels(ends + logits * kCell, width), nullptr);
            for (int i = 0; i < size; ++i) {
                const int at = first + start + i, y = step.top + at / step.width(), x = step.left + at % step.width();
                const float *cell = ends + i / kPanel * width * kCell + i % kPanel * kStrip;
                const float *frame = scratch.patch.data() + (y - rect.top) * line + x - rect.left;
                filterPixelInto<R>(*job.picture, job.left + x, job.top + y,
                                   {cell, cell + logits * kCell, frame, line, plane}, job.bias);
            }
        }
    }
}

inline void finish(const FinishJob &job, const Rect &rect, Scratch &scratch) {
    readPatch(*job.source, rect, kMargin, scratch.patch.data());
    const int merged = job.merge->outputs;
    int top = rect.top;
    convolve(
        job.input, *job.merge, 0, merged, job.mergeBias, true, rect, kCell, scratch,
        [&](int y, int x) {
            const int at = (y - top) * rect.width() + x - rect.left;
            return scratch.merged.data() + at / kPanel * merged * kCell + at % kPanel * kStrip;
        },
        [&](int y, int rows) {
            const Rect step = {y, rect.left, y + rows, rect.right};
            if (job.scale == 2)
                filterRows<2>(job, rect, step, scratch);
            if (job.scale == 3)
                filterRows<3>(job, rect, step, scratch);
            if (job.scale == 4)
                filterRows<4>(job, rect, step, scratch);
            top = y + rows;
        });
}

constexpr Kernels kernels(const char *name) { return {name, scratchSizes, scratch, stem, block, sum, finish}; }
