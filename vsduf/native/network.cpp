// Packs weights: strips of 16 outputs, and Winograd's transform of 3x3 kernels, computed in double precision.

#include "network.h"

namespace vsduf {

namespace {

// G of F(4x4, 3x3), times 24.
constexpr double kTransform[kPatch][3] = {{6, 0, 0}, {-4, -4, -4}, {-4, 4, -4}, {1, 2, 4}, {1, -2, 4}, {0, 0, 24}};

/* G k G' of one 3x3 kernel. */
std::array<double, kProducts> transformed(const float *kernel) {
    double half[kPatch][3] = {};
    for (int a = 0; a < kPatch; ++a)
        for (int j = 0; j < 3; ++j)
            for (int i = 0; i < 3; ++i) half[a][j] += kTransform[a][i] * kernel[i * 3 + j];
    std::array<double, kProducts> out{};
    for (int a = 0; a < kPatch; ++a)
        for (int b = 0; b < kPatch; ++b)
            for (int j = 0; j < 3; ++j) out[a * kPatch + b] += half[a][j] * kTransform[b][j] / (24.0 * 24.0);
    return out;
}

}  // namespace

Matrix packMatrix(const float *weights, int inputs, int outputs) {
    Matrix packed{inputs, outputs, Buffer(static_cast<std::size_t>(inputs) * outputs * kStrip * kStrip)};
    float *out = packed.data.data();
    for (int strip = 0; strip < outputs; ++strip)
        for (int k = 0; k < inputs * kStrip; ++k, out += kStrip)
            std::copy_n(weights + (static_cast<std::size_t>(k) * outputs + strip) * kStrip, kStrip, out);
    return packed;
}

Kernel packKernel(const float *weights, int inputs, int outputs) {
    const std::size_t channels = static_cast<std::size_t>(inputs) * kStrip, plane = channels * outputs * kStrip;
    Kernel packed{inputs, outputs, Buffer(kProducts * plane)};
    for (int n = 0; n < outputs * kStrip; ++n)
        for (std::size_t k = 0; k < channels; ++k) {
            const std::array<double, kProducts> products = transformed(weights + (n * channels + k) * 9);
            float *out = packed.data.data() + (n / kStrip * channels + k) * kStrip + n % kStrip;
            for (int p = 0; p < kProducts; ++p) out[p * plane] = static_cast<float>(products[p]);
        }
    return packed;
}

Buffer copyOf(const float *values, std::size_t count) {
    Buffer copy(count);
    std::copy_n(values, count, copy.data());
    return copy;
}

Widths Network::widths() const {
    Widths widths = {merge.inputs, 0, merge.outputs, heads.outputs, filters.outputs + residual.outputs};
    for (const Block &block : blocks) {
        widths.input = std::max(widths.input, block.mix.inputs);
        widths.output = std::max(widths.output, block.kernel.outputs);
    }
    return widths;
}

}  // namespace vsduf
