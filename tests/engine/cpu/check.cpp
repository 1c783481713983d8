// Runs the native engine without Python, for sanitizers and for other processors' emulators: random weights, a tile of an odd
// size, each set of kernels on one thread and on several. Prints a few samples; ends with 1 where two pictures differ.

#include "engine.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr int kBlocks = 2, kStem = 2, kGrowth = 1, kMerge = 2, kHidden = 3;  // strips; two of the hidden ones are the filters'
constexpr int kHeight = 45, kWidth = 61, kScale = 3, kFrames = 3;
constexpr int kArea[] = {kHeight, kWidth, 0, 0, kHeight, kWidth}, kInterior[] = {kHeight, kWidth, 3, 2, 40, 59};

std::uint32_t seed = 1;
float random(float spread) {
    seed = seed * 1664525u + 1013904223u;
    return (static_cast<float>(seed >> 8) / (1 << 24) - 0.5f) * spread;
}

std::vector<float> some(int count, float spread) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float &value : values) value = random(spread);
    return values;
}

using Arrays = std::vector<std::vector<float>>;  // braces fill these from left to right on every compiler

bool setWeights(VsdufEngine *engine) {
    bool good = vsduf_set_stem(engine, some(32 * kStem * 16, 0.5f).data(), kStem);
    for (int k = 0; k < kBlocks; ++k) {
        const int in = (kStem + k * kGrowth) * 16, out = 3 * kGrowth * 16;
        const std::vector<float> high(in, INFINITY);
        const Arrays w = {some(in, 1), some(in * in, 0.3f), some(in, 1), some(9 * in * out, 0.1f), some(out, 1)};
        good = good && vsduf_add_block(engine, in / 16, out / 16, w[0].data(), high.data(), w[1].data(), w[2].data(),
                                       w[3].data(), w[4].data());
    }
    const int in = (kStem + kBlocks * kGrowth) * 16, out = kMerge * 16, hidden = kHidden * 16, subpixels = kScale * kScale;
    const int filters = (25 * subpixels + 15) / 16, residual = (3 * subpixels + 15) / 16;
    const std::vector<float> high(in, INFINITY);
    const Arrays w = {some(in, 1), some(in, 1), some(9 * in * out, 0.1f), some(out, 1)};
    good = good && vsduf_set_merge(engine, in / 16, kMerge, w[0].data(), high.data(), w[1].data(), w[2].data(), w[3].data());
    const Arrays v = {some(out * hidden, 0.2f), some(hidden, 1), some(32 * filters * 16, 0.3f),
                      some(16 * residual * 16, 0.05f), some(28 * subpixels, 0.1f)};
    return good && vsduf_set_heads(engine, 2, 1, filters, residual, v[0].data(), v[1].data(), v[2].data(), v[3].data(),
                                   v[4].data());
}

/* The pictures of a few frames, each of which adds the sums of the frame before; two calls are under way at a time. */
std::vector<float> pictures(int kernels, int threads) {
    seed = 1;
    VsdufEngine *engine = vsduf_open(kScale, kernels);
    if (!setWeights(engine) || !vsduf_start(engine, threads)) return {};
    const std::size_t plane = static_cast<std::size_t>(kHeight) * kWidth, large = plane * kScale * kScale;
    std::vector<unsigned char> frames(3 * plane * kFrames);
    for (unsigned char &sample : frames) sample = static_cast<unsigned char>(128 + random(255));
    std::vector<float> out(3 * large * kFrames);
    std::vector<void *> calls, features;
    void *before = nullptr;
    for (int n = 0; n < kFrames; ++n) {
        VsdufPlanes frame = {{}, {kWidth, kWidth, kWidth}, 0, kHeight, kWidth, 0, 0}, picture = frame;
        for (int c = 0; c < 3; ++c) {
            frame.data[c] = frames.data() + (3 * n + c) * plane;
            picture.data[c] = out.data() + (3 * n + c) * large;
            picture.stride[c] = kWidth * kScale * 4;
        }
        picture.sample = 3;
        void *call = vsduf_begin(engine);
        std::vector<void *> pieces = {vsduf_stem(engine, call, kArea, &frame)};
        for (int k = 0; k < kBlocks; ++k) {
            void *sums = vsduf_block(engine, call, kArea, k, 0, 3, pieces.data(), static_cast<int>(pieces.size()));
            void *terms[] = {sums, before ? before : sums, sums};
            const int firsts[] = {0, 1, 2};
            pieces.push_back(vsduf_add(engine, call, kArea, kGrowth, terms, firsts, 3));
            before = sums;
            features.push_back(sums);
        }
        vsduf_finish(engine, call, kInterior, pieces.data(), static_cast<int>(pieces.size()), &frame, &picture);
        features.insert(features.end(), pieces.begin(), pieces.end());
        calls.push_back(call);
        if (n > 0) vsduf_end(engine, calls[n - 1]);
    }
    vsduf_end(engine, calls.back());
    for (void *feature : features) vsduf_release(feature);
    vsduf_close(engine);
    return out;
}

}  // namespace

int main() {
    const char *names[8];
    const int count = vsduf_kernels(names, 8);
    const std::vector<float> expected = pictures(count - 1, 1);
    for (int kernels = 0; kernels < count; ++kernels) {
        const std::vector<float> one = pictures(kernels, 1);
        float most = expected.size() == one.size() && !one.empty() ? 0 : INFINITY;
        for (std::size_t i = 0; i < one.size(); ++i) most = std::fmax(most, std::fabs(one[i] - expected[i]));
        std::printf("%s: %g from %s\n", names[kernels], most, names[count - 1]);
        if (!(most < 1e-4f)) return 1;
        for (int threads : {2, 5})
            if (const auto other = pictures(kernels, threads); std::memcmp(other.data(), one.data(), one.size() * 4) != 0) {
                std::printf("%s on %d threads gives other bytes\n", names[kernels], threads);
                return 1;
            }
    }
    for (std::size_t i = 0; i < expected.size(); i += expected.size() / 8) std::printf("%.5f ", expected[i]);
    std::printf("\n");
}
