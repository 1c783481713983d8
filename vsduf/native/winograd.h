// 3x3 convolutions by Winograd's F(4x4, 3x3): 36 products for 16 results, where a plain convolution takes 144.
//
//     out = A' [(G k G') * (B' in B)] A      for each 4x4 pixels of a channel, from 6x6 pixels of every input channel
//
// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.) This file has B' in B and A' m A,
// product.h the 36 matrix products between them; network.cpp computes G k G' once.
//
// Layouts: `in` six rows [pixels][strips][16]; transformed [36][panels][strips][kPanel][16]; products
// [36][tiles][strips][16]. Bound by the loads and stores of the second cache; 2 to 3 % of a layer's time.

INLINE void transformSix(const Vector *d, Vector *out, int step) {
    const Vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    const Vector a = d4 - 4.0f * d2, b = d3 - 4.0f * d1, c = d4 - d2, e = 2.0f * (d3 - d1);
    out[0] = 4.0f * d0 - 5.0f * d2 + d4;
    out[step] = a + b;
    out[2 * step] = a - b;
    out[3 * step] = c + e;
    out[4 * step] = c - e;
    out[5 * step] = 4.0f * d1 - 5.0f * d3 + d5;
}

INLINE void untransformSix(const Vector *m, Vector *out, int step) {
    const Vector a = m[step] + m[2 * step], b = m[step] - m[2 * step];
    const Vector c = m[3 * step] + m[4 * step], d = m[3 * step] - m[4 * step];
    out[0] = m[0] + a + c;
    out[step] = b + 2.0f * d;
    out[2 * step] = a + 4.0f * c;
    out[3 * step] = b + 8.0f * d + m[5 * step];
}

/* rows: the six, at the patch's first pixel. out: the tile's row in its panel; `plane` floats to the next product's. */
INLINE void transformTile(const float *const *rows, int strips, float *out, std::ptrdiff_t plane) {
    for (int s = 0; s < strips; ++s)
        for (int at = s * kStrip, to = 0; to < kStrip; at += kLanes, to += kLanes) {
            Vector half[kProducts];
            UNROLL_FULLY for (int j = 0; j < kPatch; ++j) {
                Vector column[kProducts];
                UNROLL_FULLY for (int i = 0; i < kPatch; ++i) column[i * kPatch] =
                    load(rows[i] + j * strips * kStrip + at);
                transformSix(column, half + j, kPatch);
            }
            UNROLL_FULLY for (int i = 0; i < kPatch; ++i) {
                Vector row[kPatch];
                transformSix(half + i * kPatch, row, 1);
                UNROLL_FULLY for (int j = 0; j < kPatch; ++j)
                    store(out + (i * kPatch + j) * plane + s * kCell + to, row[j]);
            }
        }
}

/* in: one strip of a tile's products, `plane` floats from one to the next. out: the 16 pixels, null for one that is not
 * wanted. */
INLINE void untransformTile(const float *in, std::ptrdiff_t plane, const float *bias, bool relu, float *const *out) {
    for (int at = 0; at < kStrip; at += kLanes) {
        const Vector added = load(bias + at), floor = all(relu ? 0.0f : -std::numeric_limits<float>::infinity());
        Vector half[kTile * kPatch];
        UNROLL_FULLY for (int j = 0; j < kPatch; ++j) {
            Vector column[kProducts];
            UNROLL_FULLY for (int i = 0; i < kPatch; ++i) column[i * kPatch] = load(in + (i * kPatch + j) * plane + at);
            untransformSix(column, half + j, kPatch);
        }
        UNROLL_FULLY for (int i = 0; i < kTile; ++i) {
            Vector row[kTile];
            untransformSix(half + i * kPatch, row, 1);
            UNROLL_FULLY for (int j = 0; j < kTile; ++j) if (float *pixel = out[i * kTile + j])
                store(pixel + at, most(row[j] + added, floor));
        }
    }
}
