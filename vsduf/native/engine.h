// The C functions of engine.cpp. Channels are counted in strips of 16 and filled up with zeros; arrays are float32.
#pragma once

#include <cstddef>

#include "native.h"

struct VsdufEngine;

/* Three planes of a frame or picture. sample: 0 uint8, 1 uint16, 2 float16, 3 float32. stride: bytes. top, left: of the
 * tile's pixel (0, 0) in the frame or, in LR pixels, in the picture. */
struct VsdufPlanes {
    void *data[3];
    std::ptrdiff_t stride[3];
    int sample, height, width, top, left;
};

/* The kernels that this processor runs, the fastest first; returns how many names were written. */
EXPORT int vsduf_kernels(const char **names, int most);

/* Bytes of working memory that a thread takes. widths: strips of the widest input of a 3x3 layer, of the widest result
 * of a block, of merge, of both heads' first layers, and of both heads' results. */
EXPORT std::size_t vsduf_working_bytes(int kernels, const int *widths);

/* kernels: an index into those. Then the weights are set in this order, and `vsduf_start` called. These return 0 where
 * memory or threads ran out; then only `vsduf_close` may follow. Layouts: network.h. */
EXPORT VsdufEngine *vsduf_open(int scale, int kernels);
EXPORT int vsduf_set_stem(VsdufEngine *, const float *weights, int outputs);
EXPORT int vsduf_add_block(VsdufEngine *, int inputs, int outputs, const float *low, const float *high,
                           const float *mix, const float *floor, const float *kernel, const float *bias);
EXPORT int vsduf_set_merge(VsdufEngine *, int inputs, int outputs, const float *low, const float *high,
                           const float *padding, const float *kernel, const float *bias);
EXPORT int vsduf_set_heads(VsdufEngine *, int filterHidden, int residualHidden, int filters, int residual,
                           const float *heads, const float *low, const float *filterWeights,
                           const float *residualWeights, const float *bias);
EXPORT int vsduf_start(VsdufEngine *, int threads);

/* Ends the threads; calls must have ended before. Features may be released later. */
EXPORT void vsduf_close(VsdufEngine *);
/* Frees the memory of features that nobody holds. */
EXPORT void vsduf_trim(VsdufEngine *);

/* A call is one frame's operations. Frames and pictures must stay where they are until `vsduf_end` has returned; `wait`
 * returns when all operations so far are done. */
EXPORT void *vsduf_begin(VsdufEngine *);
EXPORT void vsduf_wait(VsdufEngine *, void *call);
EXPORT void vsduf_end(VsdufEngine *, void *call);

/* Each starts one operation and returns at once. area: the tile's height and width, and top, left, bottom, right of the
 * part that is wanted. The features that come back may be used in later operations before they are computed, and are
 * released by `vsduf_release`. */
EXPORT void *vsduf_stem(VsdufEngine *, void *call, const int *area, const VsdufPlanes *frame);
EXPORT void *vsduf_block(VsdufEngine *, void *call, const int *area, int block, int first, int last,
                         void *const *inputs, int count);
EXPORT void *vsduf_add(VsdufEngine *, void *call, const int *area, int strips, void *const *inputs, const int *firsts,
                       int count);
EXPORT int vsduf_finish(VsdufEngine *, void *call, const int *area, void *const *inputs, int count,
                        const VsdufPlanes *frame, const VsdufPlanes *picture);
EXPORT void vsduf_release(void *feature);
