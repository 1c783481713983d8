// Runs tasks on a fixed number of threads, each task when those that it depends on are done.
//
// An operation makes one feature (or a part of the picture) for one call, cut into a grid of tasks: rectangles that one
// thread computes from input to output, milliseconds long. Threads meet only to take a task: no task waits inside, and
// a thread without one sleeps. Ready tasks are taken in order of calls, so that the earliest frame is finished first.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

#include "kernels.h"
#include "memory.h"

namespace vsduf {

class Operation;

/* A feature of one tile, [height][width][strips][16]. Its memory goes back to the pool when nobody holds it. */
struct Feature {
    int height, width, strips;
    std::shared_ptr<BufferPool> pool;
    Buffer buffer;
    std::shared_ptr<Operation> producer;  // null when all of it is computed

    Feature(int h, int w, int s, std::shared_ptr<BufferPool> from)
        : height(h),
          width(w),
          strips(s),
          pool(std::move(from)),
          buffer(pool->take(static_cast<std::size_t>(h) * w * s * kStrip)) {}
    Feature(const Feature &) = delete;
    Feature &operator=(const Feature &) = delete;
    ~Feature() { pool->give(std::move(buffer)); }
};

/* A region cut into rectangles, from its top left corner on, row by row. */
struct Grid {
    Rect region;
    int rows, columns;  // pixels of a rectangle
    int down, across;

    /* Cuts the region so that each of `threads` threads has several rectangles, where it is large enough. */
    Grid(const Rect &all, int threads);
    int count() const { return down * across; }
    Rect at(int index) const;
    /* The indices of all rectangles that meet `rect`. */
    std::vector<int> meeting(const Rect &rect) const;
};

/* The operations of one frame. */
struct Call {
    std::uint64_t number = 0;
    int left = 0;  // operations
};

struct Task {
    std::shared_ptr<Operation> operation;
    int index = 0, waits = 0;  // waits: tasks that must be done before
    bool done = false;
    std::vector<Task *> next;
};

class Operation {
public:
    Operation(const Rect &region, int halo, int threads) : grid(region, threads), tasks(grid.count()), halo_(halo) {}
    virtual ~Operation() = default;
    virtual void run(const Kernels &kernels, const Rect &rect, Scratch &scratch) const = 0;

    Grid grid;
    std::vector<Task> tasks;
    std::vector<std::shared_ptr<Feature>> inputs;
    std::shared_ptr<Feature> output;  // null for a part of the picture
    Call *call = nullptr;
    std::uint64_t number = 0;
    int left = 0;  // tasks

    Rect inputOf(int index) const;  // the pixels of the inputs that a task reads

private:
    int halo_;
};

class Scheduler {
public:
    /* Throws std::bad_alloc or std::system_error. */
    Scheduler(const Kernels &kernels, const Widths &widths, int threads);
    ~Scheduler();
    int threads() const { return static_cast<int>(threads_.size()); }

    Call *begin();
    /* Queues an operation of the call; each of its tasks runs when the tasks that make its input are done. */
    void add(Call *call, const std::shared_ptr<Operation> &operation);
    /* Returns when all operations of the call are done. */
    void wait(Call *call);

private:
    struct Later {
        bool operator()(const Task *a, const Task *b) const;
    };
    void work(int thread);
    void complete(Task *task);

    const Kernels &kernels_;
    std::vector<Scratch> scratch_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable ready_, finished_;
    std::priority_queue<Task *, std::vector<Task *>, Later> queue_;
    std::uint64_t calls_ = 0, operations_ = 0;
    bool stops_ = false;
};

}  // namespace vsduf
