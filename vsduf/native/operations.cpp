#include "operations.h"

namespace vsduf {

namespace {

Piece pieceOf(const Feature &feature) {
    return {feature.buffer.data(), feature.strips, static_cast<std::ptrdiff_t>(feature.strips) * kStrip};
}

std::vector<Piece> piecesOf(const Features &features) {
    std::vector<Piece> pieces;
    for (const std::shared_ptr<Feature> &feature : features) pieces.push_back(pieceOf(*feature));
    return pieces;
}

int stripsOf(const Features &features) {
    int strips = 0;
    for (const std::shared_ptr<Feature> &feature : features) strips += feature->strips;
    return strips;
}

class Stem : public Operation {
public:
    Stem(const Network &network, const Area &area, const Source &source, std::shared_ptr<Feature> out, int threads)
        : Operation(area.region, 0, threads),
          source_(source),
          job_{&source_, area.height, area.width, &network.stem, out->buffer.data()} {
        output = std::move(out);
    }
    void run(const Kernels &kernels, const Rect &rect, Scratch &scratch) const override {
        kernels.stem(job_, rect, scratch);
    }

private:
    Source source_;
    StemJob job_;
};

class DenseBlock : public Operation {
public:
    DenseBlock(const Block &block, int first, int last, const Area &area, const Features &features,
               std::shared_ptr<Feature> out, int threads)
        : Operation(area.region, 1, threads),
          pieces_(piecesOf(features)),
          job_{{pieces_.data(), static_cast<int>(pieces_.size()), stripsOf(features), block.low.data(),
                block.high.data(), &block.mix, block.floor.data(), block.floor.data(), area.around(), area.width},
               &block.kernel,
               first,
               last,
               block.bias.data(),
               out->buffer.data()} {
        inputs = features;
        output = std::move(out);
    }
    void run(const Kernels &kernels, const Rect &rect, Scratch &scratch) const override {
        kernels.block(job_, rect, scratch);
    }

private:
    std::vector<Piece> pieces_;
    BlockJob job_;
};

class Sum : public Operation {
public:
    Sum(const std::vector<int> &firsts, const Area &area, const Features &features, std::shared_ptr<Feature> out,
        int threads)
        : Operation(area.region, 0, threads) {
        for (std::size_t k = 0; k < features.size(); ++k) {
            Piece term = pieceOf(*features[k]);
            terms_.push_back({term.data + firsts[k] * kStrip, out->strips, term.step});
        }
        job_ = {terms_.data(), static_cast<int>(terms_.size()), area.width, out->buffer.data()};
        inputs = features;
        output = std::move(out);
    }
    void run(const Kernels &kernels, const Rect &rect, Scratch &) const override { kernels.sum(job_, rect); }

private:
    std::vector<Piece> terms_;
    SumJob job_;
};

class Finish : public Operation {
public:
    Finish(const Network &network, const Area &area, const Features &features, const Source &source,
           const Planes &picture, int top, int left, int threads)
        : Operation(area.region, 1, threads),
          pieces_(piecesOf(features)),
          source_(source),
          picture_(picture),
          job_{{pieces_.data(), static_cast<int>(pieces_.size()), stripsOf(features), network.low.data(),
                network.high.data(), nullptr, nullptr, network.padding.data(), area.around(), area.width},
               &network.merge,
               network.mergeBias.data(),
               &network.heads,
               network.headsLow.data(),
               &network.filters,
               &network.residual,
               network.bias.data(),
               network.scale,
               &source_,
               &picture_,
               top,
               left} {
        inputs = features;
    }
    void run(const Kernels &kernels, const Rect &rect, Scratch &scratch) const override {
        kernels.finish(job_, rect, scratch);
    }

private:
    std::vector<Piece> pieces_;
    Source source_;
    Planes picture_;
    FinishJob job_;
};

}  // namespace

std::shared_ptr<Operation> makeStem(const Network &network, const Area &area, const Source &source,
                                    std::shared_ptr<Feature> output, int threads) {
    return std::make_shared<Stem>(network, area, source, std::move(output), threads);
}

std::shared_ptr<Operation> makeBlock(const Network &network, int block, int first, int last, const Area &area,
                                     const Features &inputs, std::shared_ptr<Feature> output, int threads) {
    return std::make_shared<DenseBlock>(network.blocks[block], first, last, area, inputs, std::move(output), threads);
}

std::shared_ptr<Operation> makeSum(const std::vector<int> &firsts, const Area &area, const Features &inputs,
                                   std::shared_ptr<Feature> output, int threads) {
    return std::make_shared<Sum>(firsts, area, inputs, std::move(output), threads);
}

std::shared_ptr<Operation> makeFinish(const Network &network, const Area &area, const Features &inputs,
                                      const Source &source, const Planes &picture, int top, int left, int threads) {
    return std::make_shared<Finish>(network, area, inputs, source, picture, top, left, threads);
}

}  // namespace vsduf
