// How the library's files are compiled: exported names, inlining, instruction sets.
#pragma once

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

#define INLINE static inline __attribute__((always_inline))

// Every function behind TARGET is compiled for these instruction sets. Standard headers are to be included before it,
// so that no function of theirs needs a processor that the program may not run on.
#if defined(__clang__)
#define PRAGMA(text) _Pragma(#text)
#define TARGET(sets) PRAGMA(clang attribute push(__attribute__((target(sets))), apply_to = function))
#define TARGET_END _Pragma("clang attribute pop")
#define UNROLL_FULLY _Pragma("clang loop unroll(full)")
#define UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define PRAGMA(text) _Pragma(#text)
#define TARGET(sets) PRAGMA(GCC target(sets))
#define TARGET_END  // templates are compiled at the end of the file: the instruction sets must still hold there
#define UNROLL_FULLY _Pragma("GCC unroll 48")
#define UNROLL_4 _Pragma("GCC unroll 4")
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors pass between functions, but all of those are inlined
#endif
