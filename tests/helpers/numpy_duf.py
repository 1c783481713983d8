"""DUF in numpy, from the paper's table and equation, on arrays under the authors' names: shares no code with vsduf."""

from __future__ import annotations

import numpy as np


def conv(x, kernel, bias, pad_t):
    """Convolves x [T, H, W, in] with kernel [kt, kh, kw, in, out]; zeros around, pad_t frames of them at both ends."""
    kt, kh, kw = kernel.shape[:3]
    x = np.pad(x, ((pad_t, pad_t), (kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)))
    t, h, w = (n - k + 1 for n, k in zip(x.shape, (kt, kh, kw), strict=False))
    total = np.zeros((t, h, w, kernel.shape[4])) + bias
    for k in range(kt):
        for j in range(kh):
            for i in range(kw):
                total += x[k : k + t, j : j + h, i : i + w] @ kernel[k, j, i]
    return total


def norm(x, arrays, name):
    mean, variance, gamma, beta = (
        arrays[f"G_{name}_{v}:0"] for v in ("moving__mean", "moving__variance", "gamma", "beta")
    )
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


def relu(x):
    return np.maximum(x, 0)


def duf(window, arrays, scale, blocks):
    """Returns the picture [R * H, R * W, 3] of a window [7, H, W, 3]; taps outside the frame read the nearest pixel."""

    def layer(x, name, pad_t=0):
        return conv(x, arrays[f"G_{name}_W:0"], arrays[f"G_{name}_b:0"], pad_t)

    x = layer(window, "conv1")
    for k in range(1, blocks + 1):
        keeps = k <= blocks - 3
        new = layer(relu(norm(x, arrays, f"Rbn{k}a")), f"Rconv{k}a")
        new = relu(norm(new, arrays, f"Rbn{k}b"))
        mixes = arrays[f"G_Rconv{k}b_W:0"].shape[0] == 3
        new = layer(new, f"Rconv{k}b", pad_t=1 if keeps and mixes else 0)
        x = np.concatenate([x if keeps else x[1:-1], new], 3)
    x = relu(layer(relu(norm(x, arrays, "fbn1")), "conv2"))
    residual = layer(relu(layer(x, "rconv1")), "rconv2")[0]
    filters = layer(relu(layer(x, "fconv1")), "fconv2")[0]
    return upsample(window[3], filters, residual, scale)


def upsample(frame, filters, residual, scale):
    """Applies equation 1: frame [H, W, 3], filters [H, W, 25 * R * R] before softmax, residual [H, W, R * R * 3]."""
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((2, 2), (2, 2), (0, 0)), mode="edge")
    out = np.zeros((height * scale, width * scale, 3))
    for y in range(height):
        for x in range(width):
            taps = np.exp(filters[y, x].reshape(25, scale, scale))
            taps /= taps.sum(0)
            patch = padded[y : y + 5, x : x + 5].reshape(25, 3)
            block = np.einsum("tvu,tc->vuc", taps, patch) + residual[y, x].reshape(scale, scale, 3)
            out[y * scale : (y + 1) * scale, x * scale : (x + 1) * scale] = block
    return out
