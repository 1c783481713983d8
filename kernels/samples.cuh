// What all kernels need of sample types: conversion to and from float, and 16-byte vectors of them.
#pragma once
#include <cuda_fp16.h>

constexpr int kVector = 16;  // bytes of the widest load and store

template <typename Sample>
struct Peak {  // of the integer that stands for 1.0; floats stand for themselves
    static constexpr float value = 1.0f;
};
template <>
struct Peak<unsigned char> {
    static constexpr float value = 255.0f;
};
template <>
struct Peak<unsigned short> {
    static constexpr float value = 65535.0f;
};

// A picture's sample as a number, black 0 and white 1.
template <typename Sample>
__device__ __forceinline__ float toUnit(Sample sample) {
    return static_cast<float>(sample) * (1.0f / Peak<Sample>::value);
}

// The sample next to a number: integers are clamped and rounded, floats keep what lies beyond 0..1.
template <typename Sample>
__device__ __forceinline__ Sample fromUnit(float value) {
    if constexpr (Peak<Sample>::value == 1.0f) {
        return static_cast<Sample>(value);
    } else {
        constexpr float peak = Peak<Sample>::value;
        return static_cast<Sample>(static_cast<int>(fminf(fmaxf(value * peak, 0.0f), peak) + 0.5f));
    }
}

// N samples that are loaded and stored as one where N is a power of two.
template <typename T, int N>
struct alignas((N & (N - 1)) == 0 ? N * sizeof(T) : sizeof(T)) Pack {
    T at[N];
};

__device__ __forceinline__ int clampTo(int value, int low, int high) { return min(max(value, low), high); }
