// Vectors of kLanes floats. Included inside each instruction set's namespace, like the other headers of kernels.

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
typedef std::int32_t Integers __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
constexpr int kVectors = kStrip / kLanes;  // of a strip

template <typename To, typename From>
INLINE To bitsOf(const From &from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

INLINE Vector load(const float *from) {
    Vector values;
    std::memcpy(&values, from, sizeof values);
    return values;
}

INLINE void store(float *to, const Vector &values) { std::memcpy(to, &values, sizeof values); }

INLINE Vector all(float value) { return value - Vector{}; }

// Not-a-number in `a` stays.
INLINE Vector most(const Vector &a, const Vector &b) { return a < b ? b : a; }
INLINE Vector least(const Vector &a, const Vector &b) { return b < a ? b : a; }
