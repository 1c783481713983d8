// The C functions that vsduf/engine/cpu calls: a network's weights in, operations of frames one after the other.
//
// Functions that make something return null where memory ran out. Nothing is checked here: the callers do.

#include "engine.h"

#include "operations.h"

using namespace vsduf;

struct VsdufEngine {
    Network network;
    const Kernels *kernels;
    std::shared_ptr<BufferPool> pool = std::make_shared<BufferPool>();
    std::unique_ptr<Scheduler> scheduler;
};

namespace {

using Handle = std::shared_ptr<Feature>;  // what the caller holds of a feature, by a pointer to it

/* What `make` returns, or null where it has no memory. */
template <typename Make>
auto orNull(Make make) -> decltype(make()) {
    try {
        return make();
    } catch (const std::bad_alloc &) {
        return nullptr;
    } catch (const std::system_error &) {
        return nullptr;
    }
}

Area areaOf(const int *area) { return {area[0], area[1], {area[2], area[3], area[4], area[5]}}; }

Planes planesOf(const VsdufPlanes &planes) {
    Planes made{};
    for (int c = 0; c < 3; ++c) {
        made.data[c] = static_cast<unsigned char *>(planes.data[c]);
        made.stride[c] = planes.stride[c];
    }
    made.sample = static_cast<Sample>(planes.sample);
    return made;
}

Source sourceOf(const VsdufPlanes &planes) {
    return {planesOf(planes), planes.height, planes.width, planes.top, planes.left};
}

Features featuresOf(void *const *handles, int count) {
    Features features;
    for (int k = 0; k < count; ++k) features.push_back(*static_cast<Handle *>(handles[k]));
    return features;
}

/* Starts the operation that `make` returns for a new feature. */
template <typename Make>
void *start(VsdufEngine *engine, void *call, const Area &area, int strips, Make make) {
    return orNull([&] {
        auto feature =
            std::make_unique<Handle>(std::make_shared<Feature>(area.height, area.width, strips, engine->pool));
        engine->scheduler->add(static_cast<Call *>(call), make(*feature));
        return static_cast<void *>(feature.release());
    });
}

}  // namespace

EXPORT int vsduf_kernels(const char **names, int most) {
    int count = 0;
    for (const Kernels *kernels : usableKernels())
        if (count < most)
            names[count++] = kernels->name;
    return count;
}

EXPORT std::size_t vsduf_working_bytes(int kernels, const int *widths) {
    std::size_t floats = 0;
    for (std::size_t size :
         usableKernels()[kernels]->scratchSizes({widths[0], widths[1], widths[2], widths[3], widths[4]}))
        floats += size;
    return floats * sizeof(float);
}

EXPORT VsdufEngine *vsduf_open(int scale, int kernels) {
    return orNull([&] {
        auto engine = std::make_unique<VsdufEngine>();
        engine->network.scale = scale;
        engine->kernels = usableKernels()[kernels];
        return engine.release();
    });
}

EXPORT int vsduf_set_stem(VsdufEngine *engine, const float *weights, int outputs) {
    return orNull([&] {
               engine->network.stem = packMatrix(weights, 2, outputs);
               return engine;
           }) != nullptr;
}

EXPORT int vsduf_add_block(VsdufEngine *engine, int inputs, int outputs, const float *low, const float *high,
                           const float *mix, const float *floor, const float *kernel, const float *bias) {
    return orNull([&] {
               const std::size_t in = static_cast<std::size_t>(inputs) * kStrip,
                                 out = static_cast<std::size_t>(outputs) * kStrip;
               engine->network.blocks.push_back({copyOf(low, in), copyOf(high, in), packMatrix(mix, inputs, inputs),
                                                 copyOf(floor, in), packKernel(kernel, inputs, outputs),
                                                 copyOf(bias, out)});
               return engine;
           }) != nullptr;
}

EXPORT int vsduf_set_merge(VsdufEngine *engine, int inputs, int outputs, const float *low, const float *high,
                           const float *padding, const float *kernel, const float *bias) {
    return orNull([&] {
               Network &network = engine->network;
               const std::size_t in = static_cast<std::size_t>(inputs) * kStrip;
               network.low = copyOf(low, in);
               network.high = copyOf(high, in);
               network.padding = copyOf(padding, in);
               network.merge = packKernel(kernel, inputs, outputs);
               network.mergeBias = copyOf(bias, static_cast<std::size_t>(outputs) * kStrip);
               return engine;
           }) != nullptr;
}

EXPORT int vsduf_set_heads(VsdufEngine *engine, int filterHidden, int residualHidden, int filters, int residual,
                           const float *heads, const float *low, const float *filterWeights,
                           const float *residualWeights, const float *bias) {
    return orNull([&] {
               Network &network = engine->network;
               const int hidden = filterHidden + residualHidden;
               network.heads = packMatrix(heads, network.merge.outputs, hidden);
               network.headsLow = copyOf(low, static_cast<std::size_t>(hidden) * kStrip);
               network.filters = packMatrix(filterWeights, filterHidden, filters);
               network.residual = packMatrix(residualWeights, residualHidden, residual);
               network.bias = copyOf(bias, static_cast<std::size_t>(kTaps + 3) * network.scale * network.scale);
               return engine;
           }) != nullptr;
}

EXPORT int vsduf_start(VsdufEngine *engine, int threads) {
    return orNull([&] {
               engine->scheduler = std::make_unique<Scheduler>(*engine->kernels, engine->network.widths(), threads);
               return engine;
           }) != nullptr;
}

EXPORT void vsduf_close(VsdufEngine *engine) {
    engine->scheduler.reset();
    engine->pool->close();
    delete engine;
}

EXPORT void vsduf_trim(VsdufEngine *engine) { engine->pool->clear(); }

EXPORT void *vsduf_begin(VsdufEngine *engine) {
    return orNull([&] { return engine->scheduler->begin(); });
}

EXPORT void vsduf_wait(VsdufEngine *engine, void *call) { engine->scheduler->wait(static_cast<Call *>(call)); }

EXPORT void vsduf_end(VsdufEngine *engine, void *call) {
    engine->scheduler->wait(static_cast<Call *>(call));
    delete static_cast<Call *>(call);
}

EXPORT void *vsduf_stem(VsdufEngine *engine, void *call, const int *area, const VsdufPlanes *frame) {
    return start(engine, call, areaOf(area), engine->network.stem.outputs, [&](const Handle &out) {
        return makeStem(engine->network, areaOf(area), sourceOf(*frame), out, engine->scheduler->threads());
    });
}

EXPORT void *vsduf_block(VsdufEngine *engine, void *call, const int *area, int block, int first, int last,
                         void *const *inputs, int count) {
    return start(engine, call, areaOf(area), last - first, [&](const Handle &out) {
        return makeBlock(engine->network, block, first, last, areaOf(area), featuresOf(inputs, count), out,
                         engine->scheduler->threads());
    });
}

EXPORT void *vsduf_add(VsdufEngine *engine, void *call, const int *area, int strips, void *const *inputs,
                       const int *firsts, int count) {
    return start(engine, call, areaOf(area), strips, [&](const Handle &out) {
        return makeSum({firsts, firsts + count}, areaOf(area), featuresOf(inputs, count), out,
                       engine->scheduler->threads());
    });
}

EXPORT int vsduf_finish(VsdufEngine *engine, void *call, const int *area, void *const *inputs, int count,
                        const VsdufPlanes *frame, const VsdufPlanes *picture) {
    return orNull([&] {
               engine->scheduler->add(
                   static_cast<Call *>(call),
                   makeFinish(engine->network, areaOf(area), featuresOf(inputs, count), sourceOf(*frame),
                              planesOf(*picture), picture->top, picture->left, engine->scheduler->threads()));
               return engine;
           }) != nullptr;
}

EXPORT void vsduf_release(void *feature) { delete static_cast<Handle *>(feature); }
