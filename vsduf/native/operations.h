// The operations of a frame, one for each method of TileNetwork (vsduf/engine/backend.py): a kernel and its inputs.
#pragma once

#include "network.h"
#include "scheduler.h"

namespace vsduf {

/* A tile, and the region of it that an operation computes: the picture does not depend on its other pixels. */
struct Area {
    int height, width;
    Rect region;
    /* The pixels that a 3x3 convolution for the region reads. */
    Rect around() const {
        return {std::max(region.top - 1, 0), std::max(region.left - 1, 0), std::min(region.bottom + 1, height),
                std::min(region.right + 1, width)};
    }
};

using Features = std::vector<std::shared_ptr<Feature>>;

std::shared_ptr<Operation> makeStem(const Network &network, const Area &area, const Source &source,
                                    std::shared_ptr<Feature> output, int threads);

/* first, last: the output strips that are wanted, of those for all time offsets. */
std::shared_ptr<Operation> makeBlock(const Network &network, int block, int first, int last, const Area &area,
                                     const Features &inputs, std::shared_ptr<Feature> output, int threads);

/* firsts: the first strip of each term. */
std::shared_ptr<Operation> makeSum(const std::vector<int> &firsts, const Area &area, const Features &inputs,
                                   std::shared_ptr<Feature> output, int threads);

/* top, left: the picture's pixel of the tile's pixel (0, 0), LR. */
std::shared_ptr<Operation> makeFinish(const Network &network, const Area &area, const Features &inputs,
                                      const Source &source, const Planes &picture, int top, int left, int threads);

}  // namespace vsduf
