#include "scheduler.h"

namespace vsduf {

namespace {

constexpr int kEach = 3;  // tasks of an operation for each thread
constexpr int kLeastRows = 8, kLeastColumns = 64;

int roundedUp(int value, int step) { return (value + step - 1) / step * step; }

/* Pixels of each of the equal parts of `length` that are no larger than `most`, a multiple of a tile. */
int partOf(int length, int most) {
    const int parts = (length + most - 1) / most;
    return roundedUp((length + parts - 1) / parts, kTile);
}

}  // namespace

Grid::Grid(const Rect &all, int threads) : region(all) {
    columns = partOf(all.width(), kWidest);
    across = (all.width() + columns - 1) / columns;
    const int wanted = std::max(1, (kEach * threads + across - 1) / across);  // rectangles from top to bottom
    rows = partOf(all.height(), std::clamp(all.height() / wanted / kTile * kTile, kLeastRows, kTallest));
    down = (all.height() + rows - 1) / rows;
    const int parts = std::min((threads + down - 1) / down, all.width() / kLeastColumns);
    if (parts > across) {  // a small region on many threads
        columns = partOf(all.width(), (all.width() + parts - 1) / parts);
        across = (all.width() + columns - 1) / columns;
    }
}

Rect Grid::at(int index) const {
    const int top = region.top + index / across * rows, left = region.left + index % across * columns;
    return {top, left, std::min(top + rows, region.bottom), std::min(left + columns, region.right)};
}

std::vector<int> Grid::meeting(const Rect &rect) const {
    const int top = std::max(rect.top, region.top) - region.top,
              bottom = std::min(rect.bottom, region.bottom) - region.top;
    const int left = std::max(rect.left, region.left) - region.left,
              right = std::min(rect.right, region.right) - region.left;
    std::vector<int> found;
    if (top >= bottom || left >= right)
        return found;
    for (int y = top / rows; y <= (bottom - 1) / rows; ++y)
        for (int x = left / columns; x <= (right - 1) / columns; ++x) found.push_back(y * across + x);
    return found;
}

Rect Operation::inputOf(int index) const {
    const Rect rect = grid.at(index);
    return {rect.top - halo_, rect.left - halo_, rect.bottom + halo_, rect.right + halo_};
}

bool Scheduler::Later::operator()(const Task *a, const Task *b) const {
    const Operation &x = *a->operation, &y = *b->operation;
    if (x.call->number != y.call->number)
        return x.call->number > y.call->number;
    if (x.number != y.number)
        return x.number > y.number;
    return a->index > b->index;
}

Scheduler::Scheduler(const Kernels &kernels, const Widths &widths, int threads) : kernels_(kernels) {
    for (int i = 0; i < threads; ++i) scratch_.push_back(kernels.scratch(widths));
    try {
        for (int i = 0; i < threads; ++i) threads_.emplace_back(&Scheduler::work, this, i);
    } catch (const std::system_error &) {
        if (threads_.empty())
            throw;  // with fewer threads than wanted, those that there are do all tasks
    }
}

Scheduler::~Scheduler() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stops_ = true;
    }
    ready_.notify_all();
    for (std::thread &thread : threads_) thread.join();
}

Call *Scheduler::begin() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return new Call{calls_++, 0};
}

void Scheduler::add(Call *call, const std::shared_ptr<Operation> &operation) {
    int ready = 0;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        operation->call = call;
        operation->number = operations_++;
        operation->left = operation->grid.count();
        ++call->left;
        if (operation->output)
            operation->output->producer = operation;
        for (int i = 0; i < operation->grid.count(); ++i) {
            Task &task = operation->tasks[i];
            task.operation = operation;
            task.index = i;
            for (const std::shared_ptr<Feature> &input : operation->inputs)
                if (Operation *producer = input->producer.get())
                    for (int before : producer->grid.meeting(operation->inputOf(i)))
                        if (!producer->tasks[before].done) {
                            producer->tasks[before].next.push_back(&task);
                            ++task.waits;
                        }
            if (task.waits == 0) {
                queue_.push(&task);
                ++ready;
            }
        }
    }
    for (int i = 0; i < std::min(ready, threads()); ++i) ready_.notify_one();
}

void Scheduler::wait(Call *call) {
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [&] { return call->left == 0; });
}

void Scheduler::work(int thread) {
    Scratch &scratch = scratch_[thread];
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
        ready_.wait(lock, [&] { return stops_ || !queue_.empty(); });
        if (stops_)
            return;
        Task *task = queue_.top();
        queue_.pop();
        const std::shared_ptr<Operation> operation = task->operation;
        lock.unlock();
        operation->run(kernels_, operation->grid.at(task->index), scratch);
        lock.lock();
        complete(task);
    }
}

void Scheduler::complete(Task *task) {
    Operation &operation = *task->operation;
    task->done = true;
    int ready = 0;
    for (Task *next : task->next)
        if (--next->waits == 0) {
            queue_.push(next);
            ++ready;
        }
    for (int i = 1; i < ready; ++i) ready_.notify_one();  // this thread takes one itself
    task->next.clear();
    if (--operation.left > 0) {
        task->operation.reset();
        return;
    }
    operation.inputs.clear();
    if (operation.output)
        operation.output->producer.reset();
    operation.output.reset();
    if (--operation.call->left == 0)
        finished_.notify_all();
    task->operation.reset();
}

}  // namespace vsduf
