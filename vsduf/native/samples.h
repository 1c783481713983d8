// Samples of frames and pictures as numbers, black 0 and white 1, and back.

INLINE float fromHalf(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16, rest = half & 0x7FFFu;
    if (rest >= 0x7C00u)
        return bitsOf<float>(sign | 0x7F800000u | (rest & 0x3FFu) << 13);
    if (rest < 0x400u)
        return bitsOf<float>(sign | bitsOf<std::uint32_t>(static_cast<float>(rest) * 0x1p-24f));
    return bitsOf<float>(sign | ((rest << 13) + 0x38000000u));
}

/* Rounds to the nearest, to even where two are as near; numbers beyond the largest become infinite. */
INLINE std::uint16_t toHalf(float value) {
    const std::uint32_t bits = bitsOf<std::uint32_t>(value), sign = bits >> 16 & 0x8000u, rest = bits & 0x7FFFFFFFu;
    if (rest > 0x7F800000u)
        return static_cast<std::uint16_t>(sign | 0x7E00u);
    if (rest >= 0x47800000u)
        return static_cast<std::uint16_t>(sign | 0x7C00u);
    if (rest < 0x38800000u)  // below the least normal one: adding 0.5 leaves a half's bits at the end of a float's
        return static_cast<std::uint16_t>(sign | (bitsOf<std::uint32_t>(bitsOf<float>(rest) + 0.5f) - 0x3F000000u));
    return static_cast<std::uint16_t>(sign | (rest - 0x38000000u + 0xFFFu + (rest >> 13 & 1u)) >> 13);
}

INLINE float readSample(const unsigned char *row, int x, Sample sample) {
    std::uint16_t two;
    float four;
    switch (sample) {
        case Sample::u8:
            return static_cast<float>(row[x]) * (1.0f / 255.0f);
        case Sample::u16:
            std::memcpy(&two, row + 2 * x, 2);
            return static_cast<float>(two) * (1.0f / 65535.0f);
        case Sample::f16:
            std::memcpy(&two, row + 2 * x, 2);
            return fromHalf(two);
        case Sample::f32:
            break;
    }
    std::memcpy(&four, row + 4 * x, 4);
    return four;
}

/* Integers are clamped and rounded, not-a-number becomes 0; floats are not clamped. */
INLINE void writeSample(unsigned char *row, std::ptrdiff_t x, float value, Sample sample) {
    const float peak = sample == Sample::u8 ? 255.0f : 65535.0f, scaled = value * peak;
    const float rounded = (scaled > 0.0f ? std::min(scaled, peak) : 0.0f) + 0.5f;
    std::uint16_t two;
    switch (sample) {
        case Sample::u8:
            row[x] = static_cast<unsigned char>(static_cast<std::int32_t>(rounded));
            return;
        case Sample::u16:
            two = static_cast<std::uint16_t>(static_cast<std::int32_t>(rounded));
            break;
        case Sample::f16:
            two = toHalf(value);
            break;
        default:
            std::memcpy(row + 4 * x, &value, 4);
            return;
    }
    std::memcpy(row + 2 * x, &two, 2);
}

/* Reads the tile's pixels of `rect`, and `margin` more on each side, into [3][rows][columns]; pixels outside the frame
 * read the nearest inside. */
INLINE void readPatch(const Source &source, const Rect &rect, int margin, float *out) {
    for (int c = 0; c < 3; ++c)
        for (int y = rect.top - margin; y < rect.bottom + margin; ++y) {
            const int line = std::clamp(source.top + y, 0, source.height - 1);
            const unsigned char *row = source.planes.data[c] + line * source.planes.stride[c];
            for (int x = rect.left - margin; x < rect.right + margin; ++x)
                *out++ = readSample(row, std::clamp(source.left + x, 0, source.width - 1), source.planes.sample);
        }
}
