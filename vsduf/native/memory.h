// Aligned memory: buffers of a fixed size, and a list of freed buffers that are used again.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace vsduf {

constexpr std::align_val_t kAlignment{64};  // bytes of a cache line

/* Floats at an address that is a multiple of a cache line; throws std::bad_alloc. */
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(std::size_t size)
        : data_(static_cast<float *>(::operator new(size * sizeof(float), kAlignment))), size_(size) {}
    Buffer(Buffer &&other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Buffer &operator=(Buffer &&other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Buffer() { ::operator delete(data_, kAlignment); }

    float *data() const { return data_; }
    std::size_t size() const { return size_; }

private:
    float *data_ = nullptr;
    std::size_t size_ = 0;
};

/* Keeps freed buffers by size: a new block of the system's memory would be cleared page by page at its first use. */
class BufferPool {
public:
    Buffer take(std::size_t size) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            std::vector<Buffer> &list = free_[size];
            if (!list.empty()) {
                Buffer found = std::move(list.back());
                list.pop_back();
                return found;
            }
        }
        return Buffer(size);
    }

    void give(Buffer buffer) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (keeps_)
            free_[buffer.size()].push_back(std::move(buffer));
    }

    /* Frees all buffers that nobody uses. */
    void clear() {
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.clear();
    }

    /* Frees them, and from now on every buffer that is given back. */
    void close() {
        clear();
        const std::lock_guard<std::mutex> lock(mutex_);
        keeps_ = false;
    }

private:
    std::mutex mutex_;
    std::map<std::size_t, std::vector<Buffer>> free_;
    bool keeps_ = true;
};

}  // namespace vsduf
