// cuda_on_cpu.h -- run CUDA C++ kernels on the CPU, for numeric tests (not for speed).
// g++ >= 12 or clang >= 15, C++17, x86-64 (asm fiber switch) or anything with <ucontext.h>.
// Every CUDA thread of a block is a fiber on one OS thread; blocks may be spread over OS threads.
// __syncthreads()/warp collectives park the fiber; a barrier that can never complete is reported.
#pragma once
#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
#if !defined(__x86_64__) || defined(COC_UCONTEXT)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define CUDA_ON_CPU 1
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __shared__ static thread_local
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))

// ---------------------------------------------------------------- vector types
#define COC_V2(T, N, A)                                  \
    struct __attribute__((aligned(A))) N##2 { T x, y; }; \
    static inline N##2 make_##N##2(T x, T y) { return {x, y}; }
#define COC_V3(T, N)            \
    struct N##3 { T x, y, z; }; \
    static inline N##3 make_##N##3(T x, T y, T z) { return {x, y, z}; }
#define COC_V4(T, N, A)                                        \
    struct __attribute__((aligned(A))) N##4 { T x, y, z, w; }; \
    static inline N##4 make_##N##4(T x, T y, T z, T w) { return {x, y, z, w}; }
#define COC_V(T, N, S)  \
    COC_V2(T, N, 2 * S) \
    COC_V3(T, N)        \
    COC_V4(T, N, (4 * S > 16 ? 16 : 4 * S))
COC_V(signed char, char, 1)
COC_V(unsigned char, uchar, 1)
COC_V(short, short, 2)
COC_V(unsigned short, ushort, 2)
COC_V(int, int, 4)
COC_V(unsigned, uint, 4)
COC_V(float, float, 4)
COC_V(double, double, 8)
COC_V(long long, longlong, 8)
COC_V(unsigned long long, ulonglong, 8)
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
static thread_local uint3 threadIdx, blockIdx;
static thread_local dim3 blockDim, gridDim;
static constexpr int warpSize = 32;

// ---------------------------------------------------------------- half
struct __half {
    _Float16 v;
    __half() = default;
    __half(float f) : v((_Float16)f) {}
    __half(double f) : v((_Float16)f) {}
    __half(int f) : v((_Float16)f) {}
    operator float() const { return (float)v; }
};
typedef __half half;
struct __attribute__((aligned(4))) __half2 {
    __half x, y;
};
typedef __half2 half2;
struct __half_raw {
    unsigned short x;
};
static inline __half __float2half(float f) { return __half(f); }
static inline __half __float2half_rn(float f) { return __half(f); }
static inline float __half2float(__half h) { return (float)h.v; }
static inline __half2 __floats2half2_rn(float a, float b) { return {__half(a), __half(b)}; }
static inline __half2 __float22half2_rn(float2 a) { return {__half(a.x), __half(a.y)}; }
static inline float2 __half22float2(__half2 h) { return {(float)h.x, (float)h.y}; }
static inline __half2 __halves2half2(__half a, __half b) { return {a, b}; }
static inline __half2 __half2half2(__half a) { return {a, a}; }
static inline __half __low2half(__half2 h) { return h.x; }
static inline __half __high2half(__half2 h) { return h.y; }
static inline float __low2float(__half2 h) { return h.x; }
static inline float __high2float(__half2 h) { return h.y; }
static inline unsigned short __half_as_ushort(__half h) {
    unsigned short u;
    memcpy(&u, &h, 2);
    return u;
}
static inline __half __ushort_as_half(unsigned short u) {
    __half h;
    memcpy(&h, &u, 2);
    return h;
}
static inline __half __ushort2half_rn(unsigned short u) { return __half((float)u); }
static inline __half __int2half_rn(int i) { return __half((float)i); }
static inline int __half2int_rn(__half h) { return (int)lrintf((float)h); }
#define COC_HOP(name, op)                                                                  \
    static inline __half name(__half a, __half b) { return __half((float)a op(float) b); } \
    static inline __half2 name##2(__half2 a, __half2 b) { return {name(a.x, b.x), name(a.y, b.y)}; }
COC_HOP(__hadd, +) COC_HOP(__hsub, -) COC_HOP(__hmul, *) static inline __half __hdiv(__half a, __half b) {
    return __half((float)a / (float)b);
}
static inline __half __hfma(__half a, __half b, __half c) {
    return __half((double)(float)a * (float)b + (double)(float)c);
}
static inline __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
    return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
static inline __half __hmax(__half a, __half b) { return (float)a > (float)b ? a : b; }
static inline __half __hmin(__half a, __half b) { return (float)a < (float)b ? a : b; }
static inline __half2 __hmax2(__half2 a, __half2 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
static inline __half2 __hmin2(__half2 a, __half2 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
static inline __half __hneg(__half a) { return __half(-(float)a); }
static inline __half hexp(__half a) { return __half(expf((float)a)); }
static inline __half operator+(__half a, __half b) { return __hadd(a, b); }
static inline __half operator-(__half a, __half b) { return __hsub(a, b); }
static inline __half operator*(__half a, __half b) { return __hmul(a, b); }
static inline __half operator/(__half a, __half b) { return __hdiv(a, b); }
static inline __half operator-(__half a) { return __hneg(a); }
static inline __half& operator+=(__half& a, __half b) { return a = __hadd(a, b); }
static inline __half& operator-=(__half& a, __half b) { return a = __hsub(a, b); }
static inline __half& operator*=(__half& a, __half b) { return a = __hmul(a, b); }
#define COC_HCMP(op) \
    static inline bool operator op(__half a, __half b) { return (float)a op(float) b; }
COC_HCMP(<)
COC_HCMP(>)
COC_HCMP(<=)
COC_HCMP(>=)
COC_HCMP(==)
COC_HCMP(!=)

// ---------------------------------------------------------------- scheduler
namespace coc {
enum State : unsigned char { READY, AT_BLOCK, AT_WARP, DONE };
struct Fiber {
    void* sp = nullptr;
    char* stack = nullptr;
    size_t size = 0;
    Fiber* next = nullptr;
#if !defined(__x86_64__) || defined(COC_UCONTEXT)
    ucontext_t uc;
#endif
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
#endif
};
struct Lane {
    Fiber* f;
    uint3 tid;
    State st;
    unsigned mask;
    const void* where;
    unsigned long long dep;
    int pred;
};
struct Ctx {
    std::vector<Lane> lanes;
    std::vector<unsigned long long> pub;
    std::vector<unsigned> pubmask;
    Fiber* freelist = nullptr;
    Fiber main;
    Lane* cur = nullptr;
    Fiber* curf = nullptr;
    void (*body)(void*) = nullptr;
    void* arg = nullptr;
    int pred_or = 0, pred_and = 1, pred_cnt = 0;
    unsigned rng = 12345;
    std::vector<char> dyn;
    std::vector<Fiber*> all;
    const char* err = nullptr;
    char errbuf[512];
};
static thread_local Ctx* ctx;
static inline size_t stack_bytes() {
    static size_t s = getenv("COC_STACK") ? atol(getenv("COC_STACK")) : 128 << 10;
    return s;
}

#if defined(__x86_64__) && !defined(COC_UCONTEXT)
extern "C" void coc_switch(void** save, void* to) __attribute__((visibility("hidden")));
asm(".text\n.p2align 4\n.hidden coc_switch\n.globl coc_switch\n.type coc_switch,@function\ncoc_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n.size coc_switch,.-coc_switch\n");
#endif
static void fiber_main();
static inline void raw_switch(Fiber* from, Fiber* to) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&from->fake, to->stack, to->size);
#endif
#if defined(__x86_64__) && !defined(COC_UCONTEXT)
    coc_switch(&from->sp, to->sp);
#else
    swapcontext(&from->uc, &to->uc);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(from->fake, nullptr, nullptr);
#endif
}
static Fiber* new_fiber() {
    Fiber* f = new Fiber;
    f->size = stack_bytes();
    char* m = (char*)mmap(nullptr, f->size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                          -1, 0);
    if (m == MAP_FAILED) {
        perror("cuda_on_cpu: mmap");
        abort();
    }
    mprotect(m, 4096, PROT_NONE);
    f->stack = m + 4096;  // guard page below the stack
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(f->stack, f->size);
#endif
#if defined(__x86_64__) && !defined(COC_UCONTEXT)
    void** sp = (void**)(f->stack + f->size);
    *--sp = nullptr;
    *--sp = (void*)fiber_main;
    for (int i = 0; i < 6; ++i) *--sp = nullptr;
    f->sp = sp;
#else
    getcontext(&f->uc);
    f->uc.uc_stack.ss_sp = f->stack;
    f->uc.uc_stack.ss_size = f->size;
    f->uc.uc_link = nullptr;
    makecontext(&f->uc, fiber_main, 0);
#endif
    return f;
}
static void fiber_main() {
#if defined(__SANITIZE_ADDRESS__)
    {
        const void* b;
        size_t s;
        __sanitizer_finish_switch_fiber(nullptr, &b, &s);
        if (!ctx->main.stack) {
            ctx->main.stack = (char*)b;
            ctx->main.size = s;
        }
    }
#endif
    for (;;) {
        ctx->body(ctx->arg);
        ctx->cur->st = DONE;
        raw_switch(ctx->curf, &ctx->main);
    }
}
static inline void resume(Lane* l) {
    Ctx* c = ctx;
    if (!l->f) {
        if (c->freelist) {
            l->f = c->freelist;
            c->freelist = l->f->next;
        } else
            c->all.push_back(l->f = new_fiber());
    }
    c->cur = l;
    c->curf = l->f;
    threadIdx = l->tid;
    l->st = READY;
    raw_switch(&c->main, l->f);
    if (l->st == DONE) {
        l->f->next = c->freelist;
        c->freelist = l->f;
        l->f = nullptr;
    }
}
static inline __attribute__((noinline)) void park(State s) {
    Ctx* c = ctx;
    c->cur->st = s;
    raw_switch(c->curf, &c->main);
}
static inline unsigned lane_id() { return (unsigned)(ctx->cur - ctx->lanes.data()) & 31; }
static inline unsigned warp_base() { return (unsigned)(ctx->cur - ctx->lanes.data()) & ~31u; }
static int order() {
    static int o = getenv("COC_ORDER") ? atoi(getenv("COC_ORDER")) : 0;
    return o;
}
static void permute(std::vector<unsigned>& v, unsigned n, unsigned& rng) {
    v.resize(n);
    for (unsigned i = 0; i < n; ++i) v[i] = order() == 1 ? n - 1 - i : i;
    if (order() == 2)
        for (unsigned i = n; i > 1; --i) {
            rng = rng * 1664525u + 1013904223u;
            std::swap(v[i - 1], v[(rng >> 8) % i]);
        }
}
static bool release_warp(unsigned base, unsigned n) {  // publish the values of every complete group
    Lane* L = &ctx->lanes[base];
    unsigned done = 0, wait = 0, exist = n == 32 ? 0xffffffffu : (1u << n) - 1;
    bool any = false;
    for (unsigned i = 0; i < n; ++i) {
        done |= (unsigned)(L[i].st == DONE) << i;
        wait |= (unsigned)(L[i].st == AT_WARP) << i;
    }
    while (wait) {
        unsigned i = __builtin_ctz(wait), m = L[i].mask & exist & ~done;
        bool ok = (m & ~wait) == 0;
        for (unsigned t = m & wait; t && ok; t &= t - 1) ok = L[__builtin_ctz(t)].mask == L[i].mask;
        if (!ok) {
            wait &= ~(1u << i);
            continue;
        }
        for (unsigned t = m; t; t &= t - 1) {
            unsigned j = __builtin_ctz(t);
            ctx->pub[base + j] = L[j].dep;
            ctx->pubmask[base + j] = m;
            L[j].st = READY;
        }
        wait &= ~m;
        any = true;
    }
    return any;
}
static const char* run_block() {
    Ctx* c = ctx;
    unsigned n = (unsigned)c->lanes.size(), nw = (n + 31) / 32;
    std::vector<unsigned> wo, lo;
    for (;;) {
        permute(wo, nw, c->rng);
        for (unsigned w : wo) {
            unsigned b = w * 32, m = std::min(32u, n - b);
            do {
                if (order() || lo.size() != m)
                    permute(lo, m, c->rng);
                for (unsigned i : lo)
                    if (c->lanes[b + i].st == READY)
                        resume(&c->lanes[b + i]);
                if (c->err)
                    return c->err;
            } while (release_warp(b, m));
        }
        unsigned alive = 0, atb = 0;
        const Lane *stuck = nullptr, *first = nullptr;
        for (auto& l : c->lanes)
            if (l.st != DONE) {
                ++alive;
                if (l.st == AT_BLOCK) {
                    ++atb;
                    if (!first)
                        first = &l;
                } else
                    stuck = &l;
            }
        if (!alive)
            return nullptr;
        if (atb != alive) {
            snprintf(c->errbuf, sizeof c->errbuf,
                     "deadlock in block (%u,%u,%u): thread (%u,%u,%u) waits in a warp collective (mask 0x%08x) "
                     "that can never complete; %u of %u live threads are at __syncthreads",
                     blockIdx.x, blockIdx.y, blockIdx.z, stuck->tid.x, stuck->tid.y, stuck->tid.z, stuck->mask, atb,
                     alive);
            return c->errbuf;
        }
        for (auto& l : c->lanes)
            if (l.st == AT_BLOCK && l.where != first->where) {
                snprintf(c->errbuf, sizeof c->errbuf,
                         "divergent __syncthreads in block (%u,%u,%u): thread (%u,%u,%u) and thread (%u,%u,%u) "
                         "wait at different barriers",
                         blockIdx.x, blockIdx.y, blockIdx.z, first->tid.x, first->tid.y, first->tid.z, l.tid.x, l.tid.y,
                         l.tid.z);
                return c->errbuf;
            }
        if (getenv("COC_STRICT") && alive != n) {
            snprintf(c->errbuf, sizeof c->errbuf,
                     "block (%u,%u,%u): %u threads wait at __syncthreads after %u threads have returned", blockIdx.x,
                     blockIdx.y, blockIdx.z, alive, n - alive);
            return c->errbuf;
        }
        c->pred_or = 0;
        c->pred_and = 1;
        c->pred_cnt = 0;
        for (auto& l : c->lanes)
            if (l.st == AT_BLOCK) {
                c->pred_or |= !!l.pred;
                c->pred_and &= !!l.pred;
                c->pred_cnt += !!l.pred;
                l.st = READY;
            }
    }
}
// fill this library's thread-local storage (= all __shared__ variables) with 0xFF (NaNs) before each block
static void find_tls(void*& base, size_t& size) {
    struct Q {
        const char* self;
        void* p;
        size_t n;
    } q{(const char*)&find_tls, nullptr, 0};
    dl_iterate_phdr(
        [](dl_phdr_info* i, size_t, void* d) -> int {
            Q* q = (Q*)d;
            bool mine = false;
            size_t tls = 0;
            for (int k = 0; k < i->dlpi_phnum; ++k) {
                auto& h = i->dlpi_phdr[k];
                const char* a = (const char*)i->dlpi_addr + h.p_vaddr;
                if (h.p_type == PT_LOAD && q->self >= a && q->self < a + h.p_memsz)
                    mine = true;
                if (h.p_type == PT_TLS)
                    tls = h.p_memsz;
            }
            if (mine) {
                q->p = i->dlpi_tls_data;
                q->n = tls;
            }
            return mine;
        },
        &q);
    base = q.p;
    size = q.n;
}
static __attribute__((noinline)) void poison_shared(void* base, size_t size) {
    if (!base)
        return;
    auto s = std::make_tuple(threadIdx, blockIdx, blockDim, gridDim, ctx);
    asm volatile("" ::"r"(&threadIdx), "r"(&blockIdx), "r"(&blockDim), "r"(&gridDim), "r"(&ctx)
                 : "memory");  // their addresses escape
    memset(base, 0xFF, size);
    asm volatile("" ::: "memory");
    std::tie(threadIdx, blockIdx, blockDim, gridDim, ctx) = s;
}
static char* dyn_smem() { return ctx->dyn.data(); }

// value tables so that the host side can check the arguments it passes
struct ArgInfo {
    int size, kind, pointee;
};  // kind: 0 other/struct, 1 signed, 2 unsigned, 3 float, 4 pointer; pointee: size*16+kind
template <class T>
constexpr int kind_of() {
    using U = std::remove_cv_t<T>;
    if constexpr (std::is_pointer_v<U>)
        return 4;
    else if constexpr (std::is_floating_point_v<U> || std::is_same_v<U, __half>)
        return 3;
    else if constexpr (std::is_integral_v<U>)
        return std::is_signed_v<U> ? 1 : 2;
    else
        return 0;
}
template <class T>
constexpr ArgInfo info_of() {
    ArgInfo a{(int)sizeof(T), kind_of<T>(), 0};
    if constexpr (std::is_pointer_v<T>) {
        using P = std::remove_pointer_t<T>;
        if constexpr (!std::is_void_v<P>)
            a.pointee = (int)sizeof(P) * 16 + kind_of<P>();
    }
    return a;
}
template <class... A>
int arg_info(void (*)(A...), ArgInfo* out) {
    int i = 0;
    ((out[i++] = info_of<A>()), ...);
    return i;
}

template <class... A>
const char* launch(void (*k)(A...), dim3 g, dim3 b, size_t smem, void** args, int threads) {
    struct Call {
        void (*k)(A...);
        void** args;
    } call{k, args};
    auto body = [](void* p) {
        Call* c = (Call*)p;
        [&]<size_t... I>(std::index_sequence<I...>) {
            c->k(*(std::remove_reference_t<A>*)c->args[I]...);
        }(std::index_sequence_for<A...>{});
    };
    if ((unsigned long long)b.x * b.y * b.z > 1024 || !b.x || !b.y || !b.z || b.z > 64)
        return "invalid configuration: block";
    if (!g.x || !g.y || !g.z || g.y > 65535 || g.z > 65535)
        return "invalid configuration: grid";
    if (smem > 227 * 1024)
        return "invalid configuration: shared memory";
    unsigned long long nb = (unsigned long long)g.x * g.y * g.z;
    std::atomic<unsigned long long> next{0};
    static char err[512];
    std::atomic<int> failed{0};
    bool poison = !getenv("COC_NOPOISON");
    auto worker = [&] {
        ctx = new Ctx;
        Ctx* c = ctx;
        blockDim = b;
        gridDim = g;
        c->body = body;
        c->arg = &call;
        unsigned n = b.x * b.y * b.z;
        c->lanes.resize(n);
        c->pub.resize(n + 32);
        c->pubmask.resize(n + 32);
        c->dyn.resize(smem + 16);
        unsigned long long i;
        (void)&ctx;
        void* tb = nullptr;
        size_t ts = 0;
        if (poison)
            find_tls(tb, ts);
        while (!failed && (i = next++) < nb) {
            if (order() == 1)
                i = nb - 1 - i;
            if (poison) {
                poison_shared(tb, ts);
                memset(c->dyn.data(), 0xFF, c->dyn.size());
            }
            blockIdx = {(unsigned)(i % g.x), (unsigned)(i / g.x % g.y), (unsigned)(i / g.x / g.y)};
            for (unsigned t = 0; t < n; ++t)
                c->lanes[t] = Lane{nullptr, {t % b.x, t / b.x % b.y, t / b.x / b.y}, READY, 0, nullptr, 0, 0};
            if (const char* e = run_block()) {
                if (!failed.exchange(1))
                    snprintf(err, sizeof err, "%s", e);
            }
        }
        for (Fiber* f : c->all) {
            munmap(f->stack - 4096, f->size + 4096);
            delete f;
        }
        delete c;
        ctx = nullptr;
    };
    if (threads <= 1)
        worker();
    else {
        std::vector<std::thread> v;
        for (int t = 0; t < threads; ++t) v.emplace_back(worker);
        for (auto& t : v) t.join();
    }
    return failed ? err : nullptr;
}
static inline unsigned long long collective(unsigned mask, unsigned long long v) {
    Lane* l = ctx->cur;
    unsigned id = lane_id();
    if (!(mask >> id & 1) && !ctx->err) {
        snprintf(ctx->errbuf, sizeof ctx->errbuf, "warp collective: the calling lane %u is not in its mask 0x%08x", id,
                 mask);
        ctx->err = ctx->errbuf;
    }
    l->mask = mask;
    l->dep = v;
    park(AT_WARP);
    return 0;
}
static inline unsigned long long peek(unsigned src) {  // value published by lane src; garbage when it took no part
    unsigned b = warp_base();
    unsigned m = ctx->pubmask[b + lane_id()];
    return m >> src & 1 ? ctx->pub[b + src] : ~0ull;
}
template <class T>
static inline unsigned long long pack(T v) {
    static_assert(sizeof(T) <= 8);
    unsigned long long u = 0;
    memcpy(&u, &v, sizeof v);
    return u;
}
template <class T>
static inline T unpack(unsigned long long u) {
    T v;
    memcpy(&v, &u, sizeof v);
    return v;
}
// A barrier is known by its source line, not its return address: the compiler may clone the call into several
// branches.
static inline __attribute__((noinline)) void block_barrier(int pred, long line) {
    ctx->cur->pred = pred;
    ctx->cur->where = (void*)line;
    park(AT_BLOCK);
}
}  // namespace coc

// ---------------------------------------------------------------- synchronisation and warp intrinsics
#define __syncthreads() coc::block_barrier(0, __LINE__)
static inline __attribute__((always_inline)) int __syncthreads_or(int p, long line = __builtin_LINE()) {
    coc::block_barrier(p, line);
    return coc::ctx->pred_or;
}
static inline __attribute__((always_inline)) int __syncthreads_and(int p, long line = __builtin_LINE()) {
    coc::block_barrier(p, line);
    return coc::ctx->pred_and;
}
static inline __attribute__((always_inline)) int __syncthreads_count(int p, long line = __builtin_LINE()) {
    coc::block_barrier(p, line);
    return coc::ctx->pred_cnt;
}
static inline void __syncwarp(unsigned m = 0xffffffffu) { coc::collective(m, 0); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline void __threadfence_system() {}
static inline void __nanosleep(unsigned) {}
static inline void __trap() {
    snprintf(coc::ctx->errbuf, 512, "__trap() by thread (%u,%u,%u)", threadIdx.x, threadIdx.y, threadIdx.z);
    coc::ctx->err = coc::ctx->errbuf;
    coc::park(coc::AT_WARP);
}
template <class T>
static inline T __shfl_sync(unsigned m, T v, int src, int w = 32) {
    int l = coc::lane_id();
    coc::collective(m, coc::pack(v));
    return coc::unpack<T>(coc::peek((l & ~(w - 1)) + (src & (w - 1))));
}
template <class T>
static inline T __shfl_xor_sync(unsigned m, T v, int o, int w = 32) {
    int l = coc::lane_id(), s = l ^ o;
    coc::collective(m, coc::pack(v));
    return (s & ~(w - 1)) > (l & ~(w - 1)) ? v : coc::unpack<T>(coc::peek(s));
}
template <class T>
static inline T __shfl_down_sync(unsigned m, T v, unsigned o, int w = 32) {
    unsigned l = coc::lane_id(), s = l + o;
    coc::collective(m, coc::pack(v));
    return (l & (w - 1)) + o >= (unsigned)w ? v : coc::unpack<T>(coc::peek(s));
}
template <class T>
static inline T __shfl_up_sync(unsigned m, T v, unsigned o, int w = 32) {
    unsigned l = coc::lane_id();
    coc::collective(m, coc::pack(v));
    return (l & (w - 1)) < o ? v : coc::unpack<T>(coc::peek(l - o));
}
static inline unsigned __ballot_sync(unsigned m, int p) {
    coc::collective(m, !!p);
    unsigned r = 0;
    unsigned mm = coc::ctx->pubmask[coc::warp_base() + coc::lane_id()];
    for (int i = 0; i < 32; ++i)
        if (mm >> i & 1)
            r |= (unsigned)coc::peek(i) << i;
    return r;
}
static inline int __any_sync(unsigned m, int p) { return __ballot_sync(m, p) != 0; }
static inline int __all_sync(unsigned m, int p) { return __ballot_sync(m, !p) == 0; }
#define COC_RED(name, T, expr)                                              \
    static inline T name(unsigned m, T v) {                                 \
        coc::collective(m, coc::pack(v));                                   \
        unsigned mm = coc::ctx->pubmask[coc::warp_base() + coc::lane_id()]; \
        bool f = true;                                                      \
        T a{};                                                              \
        for (int i = 0; i < 32; ++i)                                        \
            if (mm >> i & 1) {                                              \
                T b = coc::unpack<T>(coc::peek(i));                         \
                a = f ? b : (expr);                                         \
                f = false;                                                  \
            }                                                               \
        return a;                                                           \
    }
COC_RED(__reduce_add_sync, int, a + b)
COC_RED(__reduce_max_sync, int, a > b ? a : b)
COC_RED(__reduce_min_sync, int, a < b ? a : b) static inline unsigned __activemask() {
    unsigned r = 0, b = coc::warp_base();
    for (unsigned i = 0; i < 32 && b + i < coc::ctx->lanes.size(); ++i)
        if (coc::ctx->lanes[b + i].st != coc::DONE)
            r |= 1u << i;
    return r;
}

// ---------------------------------------------------------------- atomics (blocks may run on several OS threads)
template <class T, class F>
static inline T coc_rmw(T* p, F f) {
    if constexpr (sizeof(T) == 4 || sizeof(T) == 8) {
        using U = std::conditional_t<sizeof(T) == 4, unsigned, unsigned long long>;
        U o = __atomic_load_n((U*)p, __ATOMIC_RELAXED), n;
        T t;
        do {
            memcpy(&t, &o, sizeof t);
            T r = f(t);
            memcpy(&n, &r, sizeof n);
        } while (!__atomic_compare_exchange_n((U*)p, &o, n, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
        return t;
    } else {
        T t = *p;
        *p = f(t);
        return t;
    }
}
template <class T>
static inline T atomicAdd(T* p, std::common_type_t<T> v) {
    return coc_rmw(p, [=](T a) { return (T)(a + v); });
}
template <class T>
static inline T atomicSub(T* p, std::common_type_t<T> v) {
    return coc_rmw(p, [=](T a) { return (T)(a - v); });
}
template <class T>
static inline T atomicMax(T* p, std::common_type_t<T> v) {
    return coc_rmw(p, [=](T a) { return a > v ? a : v; });
}
template <class T>
static inline T atomicMin(T* p, std::common_type_t<T> v) {
    return coc_rmw(p, [=](T a) { return a < v ? a : v; });
}
template <class T>
static inline T atomicExch(T* p, std::common_type_t<T> v) {
    return coc_rmw(p, [=](T) { return v; });
}
template <class T>
static inline T atomicOr(T* p, std::common_type_t<T> v) {
    return coc_rmw(p, [=](T a) { return (T)(a | v); });
}
template <class T>
static inline T atomicAnd(T* p, std::common_type_t<T> v) {
    return coc_rmw(p, [=](T a) { return (T)(a & v); });
}
template <class T>
static inline T atomicCAS(T* p, std::common_type_t<T> c, std::common_type_t<T> v) {
    return coc_rmw(p, [=](T a) { return a == c ? v : a; });
}

// ---------------------------------------------------------------- loads, math, bit tricks
template <class T>
static inline T __ldg(const T* p) {
    return *p;
}
#define COC_LD(n)                   \
    template <class T>              \
    static inline T n(const T* p) { \
        return *p;                  \
    }
#define COC_ST(n)                     \
    template <class T>                \
    static inline void n(T* p, T v) { \
        *p = v;                       \
    }
COC_LD(__ldca)
COC_LD(__ldcg)
COC_LD(__ldcs)
COC_LD(__ldlu)
COC_LD(__ldcv)
COC_ST(__stwb)
COC_ST(__stcg)
COC_ST(__stcs)
COC_ST(__stwt)
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float __frsqrt_rn(float x) { return 1.0f / sqrtf(x); }
#define __expf(x) expf(x)
#define __exp10f(x) powf(10.f, (x))
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __powf(x, y) powf(x, y)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanhf(x) tanhf(x)
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __saturatef(float x) { return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f; }
#define COC_F2I(n, r)                                                                                            \
    static inline int __float2int_##n(float x) {                                                                 \
        return x != x ? 0 : x >= 2147483648.f ? 2147483647 : x <= -2147483648.f ? (-2147483647 - 1) : (int)r(x); \
    }                                                                                                            \
    static inline unsigned __float2uint_##n(float x) {                                                           \
        return !(x > 0.f) ? 0u : x >= 4294967296.f ? 4294967295u : (unsigned)r(x);                               \
    }
COC_F2I(rn, nearbyintf)
COC_F2I(rz, truncf) COC_F2I(rd, floorf) COC_F2I(ru, ceilf) static inline float __int2float_rn(int x) {
    return (float)x;
}
static inline float __uint2float_rn(unsigned x) { return (float)x; }
static inline int __float_as_int(float f) {
    int i;
    memcpy(&i, &f, 4);
    return i;
}
static inline unsigned __float_as_uint(float f) {
    unsigned i;
    memcpy(&i, &f, 4);
    return i;
}
static inline float __int_as_float(int i) {
    float f;
    memcpy(&f, &i, 4);
    return f;
}
static inline float __uint_as_float(unsigned i) {
    float f;
    memcpy(&f, &i, 4);
    return f;
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; ++i) r |= (x >> i & 1u) << (31 - i);
    return r;
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s) {
    unsigned long long v = (unsigned long long)b << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; ++i) {
        unsigned k = s >> (4 * i) & 15, x = (unsigned)(v >> ((k & 7) * 8)) & 255;
        if (k & 8)
            x = x & 128 ? 255 : 0;
        r |= x << (8 * i);
    }
    return r;
}
static inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; ++i) c += (int)(signed char)(a >> 8 * i) * (int)(signed char)(b >> 8 * i);
    return c;
}
#define COC_MM(T)                                           \
    static inline T min(T a, T b) { return a < b ? a : b; } \
    static inline T max(T a, T b) { return a > b ? a : b; }
COC_MM(int)
COC_MM(unsigned)
COC_MM(long)
COC_MM(unsigned long)
COC_MM(long long)
COC_MM(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline float __fmul_rz(float a, float b) { return a * b; }
static inline long long clock64() { return 0; }
