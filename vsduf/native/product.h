// Matrix products: c[i, n] = sum_k a[i, k] * b[k, n], at least low[n] where there is a floor.
//
// Layouts: a in panels of kPanel rows, [panel][strip of k][kPanel][16], so that a row's next value lies at a distance
// that the compiler knows; b in strips of 16 columns, [strip][k][16]. The sums of one panel and kPair
// strips stay in registers over all k. Bound by the processor's multiplications: the strips of b that a panel meets
// stay in its first or second cache. Every sum is taken in order of k, whatever the number of rows: results do not
// depend on how rows are grouped.

/* Rows of a matrix in panels whose heights differ by one row at most: panel p has rows start(p) .. start(p + 1). */
struct Panels {
    int rows, count;
    explicit Panels(int n) : rows(n), count((n + kPanel - 1) / kPanel) {}
    int start(int panel) const { return static_cast<int>(static_cast<std::ptrdiff_t>(rows) * panel / count); }
};

constexpr std::ptrdiff_t kCell = kPanel * kStrip;  // floats of a panel's strip

template <int M, int N>
void product(const float *a, const float *b, std::ptrdiff_t strip, int chunks, float *c, std::ptrdiff_t row,
             std::ptrdiff_t step, const float *low) {
    constexpr int columns = N * kVectors;
    Vector sum[M][columns] = {};
    for (int chunk = 0; chunk < chunks; ++chunk, a += kCell, b += kStrip * kStrip)
        UNROLL_4 for (int k = 0; k < kStrip; ++k) {
            Vector weights[columns];
            UNROLL_FULLY for (int n = 0; n < columns; ++n) weights[n] =
                load(b + n / kVectors * strip + k * kStrip + n % kVectors * kLanes);
            UNROLL_FULLY for (int i = 0; i < M; ++i) UNROLL_FULLY for (int n = 0; n < columns; ++n) sum[i][n] +=
                weights[n] * a[i * kStrip + k];
        }
    UNROLL_FULLY for (int n = 0; n < columns; ++n) {
        const int at = n % kVectors * kLanes;
        const Vector floor =
            low ? load(low + n / kVectors * kStrip + at) : all(-std::numeric_limits<float>::infinity());
        UNROLL_FULLY for (int i = 0; i < M; ++i)
            store(c + i * row + n / kVectors * step + at, low ? most(sum[i][n], floor) : sum[i][n]);
    }
}

using Product = void (*)(const float *, const float *, std::ptrdiff_t, int, float *, std::ptrdiff_t, std::ptrdiff_t,
                         const float *);

template <int N, std::size_t... M>
constexpr std::array<Product, kPanel> productsOf(std::index_sequence<M...>) {
    return {product<static_cast<int>(M) + 1, N>...};
}

template <std::size_t... N>
constexpr std::array<std::array<Product, kPanel>, kPair> allProducts(std::index_sequence<N...>) {
    return {productsOf<static_cast<int>(N) + 1>(std::make_index_sequence<kPanel>())...};
}

constexpr auto kProductOf = allProducts(std::make_index_sequence<kPair>());  // [strips - 1][rows - 1]

/* Where a product is written: rows and strips that many floats apart; `panel` floats from one panel to the next, 0
 * where rows follow each other across panels. */
struct Result {
    float *data;
    std::ptrdiff_t row, step, panel;
};

INLINE Result inRows(float *data, std::ptrdiff_t row) { return {data, row, kStrip, 0}; }
INLINE Result inPanels(float *data, int strips) { return {data, kStrip, kCell, strips * kCell}; }

/* a: `inputs` strips of panels that lie `apart` floats apart. b: the first of `outputs` strips of [inputs * 16][16].
 * low: null, or a floor for each column. */
INLINE void multiply(const float *a, std::ptrdiff_t apart, const Panels &rows, int inputs, const float *b, int outputs,
                     const Result &c, const float *low) {
    const std::ptrdiff_t strip = static_cast<std::ptrdiff_t>(inputs) * kStrip * kStrip;
    for (int n = 0; n < outputs; n += kPair) {
        const int pair = std::min(kPair, outputs - n);
        for (int p = 0; p < rows.count; ++p) {
            const int start = rows.start(p), count = rows.start(p + 1) - start;
            float *to = c.data + (c.panel ? p * c.panel : start * c.row) + n * c.step;
            kProductOf[pair - 1][count - 1](a + p * apart, b + n * strip, strip, inputs, to, c.row, c.step,
                                            low ? low + n * kStrip : nullptr);
        }
    }
}
