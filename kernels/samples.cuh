// Sample types of all kernels: conversion to and from float, and vectors of samples.
//
// VECTOR, STEPS, THREADS, PIECES and FILTER_BYTES are numbers that host and device must agree on: the launcher,
// vsduf/engine/cuda/launchers.py, gives each to the compiler.
#pragma once
#include <cuda_fp16.h>

template <typename Sample>
struct Peak {  // the integer that stands for 1.0; floats stand for themselves
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

// Returns a picture's sample as a number: black 0, white 1.
template <typename Sample>
__device__ __forceinline__ float toUnit(Sample sample) {
    return static_cast<float>(sample) * (1.0f / Peak<Sample>::value);
}

// Returns the sample nearest to a number: integers are clamped to their range and rounded, floats are not clamped.
template <typename Sample>
__device__ __forceinline__ Sample fromUnit(float value) {
    if constexpr (Peak<Sample>::value == 1.0f) {
        return static_cast<Sample>(value);
    } else {
        constexpr float peak = Peak<Sample>::value;
        return static_cast<Sample>(static_cast<int>(fminf(fmaxf(value * peak, 0.0f), peak) + 0.5f));
    }
}

// N samples; one load or store moves them where N is a power of two.
template <typename T, int N>
struct alignas((N & (N - 1)) == 0 ? N * sizeof(T) : sizeof(T)) Pack {
    T at[N];
};

__device__ __forceinline__ int clampTo(int value, int low, int high) { return min(max(value, low), high); }
