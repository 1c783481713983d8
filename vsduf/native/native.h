// What the library's files share: how they are compiled, and how work is spread over threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

#if defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
// One build for every processor: the loader picks the widest vectors that it has. (Older compilers do not know the
// levels' names, and musl's loader does not pick.)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif
#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif
#if defined(_MSC_VER)
#define INLINE static __forceinline
#else
#define INLINE static inline __attribute__((always_inline))
#endif

// OpenMP's entry point of the runtime that torch has loaded, null if there is none: its threads go on spinning for a while
// after their work, and threads of our own would have to fight them for the cores.
using Parallel = void (*)(void (*work)(void *), void *data, unsigned threads, unsigned flags);

inline Parallel openmp() {
#if defined(_WIN32)
    return nullptr;
#else
    static const Parallel found = reinterpret_cast<Parallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    return found;
#endif
}

template <typename Job>
struct Shared {
    void (*run)(const Job &, int, int);
    const Job &job;
    int items, parts;
    std::atomic<int> next{0};

    static void work(void *data) {
        Shared &self = *static_cast<Shared *>(data);
        for (int i; (i = self.next++) < self.parts;) self.run(self.job, self.start(i), self.start(i + 1));
    }
    int start(int part) const { return static_cast<int>(static_cast<std::ptrdiff_t>(items) * part / parts); }
};

// Calls run(job, from, to) for parts of 0 .. items, on fewer threads where the items' samples make little work.
template <typename Job>
void share(void (*run)(const Job &, int, int), const Job &job, int items, std::ptrdiff_t samples, int threads) {
    constexpr std::ptrdiff_t least = 16384;  // samples for which another thread is worth its start
    const std::ptrdiff_t worth = std::min<std::ptrdiff_t>({threads, items, items * samples / least});
    const int count = static_cast<int>(std::max<std::ptrdiff_t>(1, worth));
    Shared<Job> shared{run, job, items, count};
    if (count > 1 && openmp()) return openmp()(Shared<Job>::work, &shared, static_cast<unsigned>(count), 0);
    std::vector<std::thread> others;
    try {
        for (int i = 1; i < count; ++i) others.emplace_back(Shared<Job>::work, &shared);
    } catch (const std::system_error &) {  // the system has no more threads: those that there are do all parts
    }
    Shared<Job>::work(&shared);
    for (std::thread &other : others) other.join();
}
