// Products of matrices in exact float32.
#pragma once
#include "math.h"

#define TILE 64  // rows and columns of C that a block computes, 4x4 a thread
#define DEPTH 16 // of A and B that it holds at a time
#define PAD 4    // keeps rows of a tile aligned to 16 bytes

// op(X) of a product, [rows, K] as op says, into its tile [DEPTH, TILE], zero
// outside. A thread reads along the axis that is dense in memory.
DEVICE void load_tile(float (*tile)[TILE + PAD], const float* x, int ld, int along, int row, int rows, int k, int depth) {
  for (int e = TID; e < TILE * DEPTH; e += THREADS) {
    int r = along ? e / DEPTH : e % TILE, d = along ? e % DEPTH : e / TILE;
    float v = 0.f;
    if (row + r < rows && k + d < depth)
      v = along ? x[(long)(row + r) * ld + k + d] : x[(long)(k + d) * ld + row + r];
    tile[d][r] = v;
  }
}

// C = alpha op(A) op(B), then plus bias [N], plus residual (laid out as C), then
// QuickGELU, each if there is one, for each item of a batch. A is [M, K] in rows
// lda apart, or [K, M] if ta; B is [K, N], or [N, K] if tb. A block a tile.
KERNEL gemm(const float* a, const float* b, float* c, const float* bias, const float* residual, int m, int n, int k,
            int lda, int ldb, int ldc, long stride_a, long stride_b, long stride_c, int ta, int tb, int quickgelu,
            float alpha) {
  SHARED __attribute__((aligned(16))) float left[DEPTH][TILE + PAD], right[DEPTH][TILE + PAD];
  int wide = (n + TILE - 1) / TILE, high = (m + TILE - 1) / TILE;
  int col = BLOCK % wide * TILE, row = BLOCK / wide % high * TILE;
  long item = BLOCK / wide / high;
  a += item * stride_a;
  b += item * stride_b;
  int x = TID % (TILE / 4) * 4, y = TID / (TILE / 4) * 4;
  float acc[4][4] = {};
  for (int p = 0; p < k; p += DEPTH) {
    load_tile(left, a, lda, !ta, row, m, p, k);
    load_tile(right, b, ldb, tb, col, n, p, k);
    SYNC();
#pragma unroll 4
    for (int d = 0; d < DEPTH; d++) {
      float u[4], v[4];
      for (int i = 0; i < 4; i++) {
        u[i] = left[d][y + i];
        v[i] = right[d][x + i];
      }
      for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) acc[i][j] += u[i] * v[j];
    }
    SYNC();
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      int r = row + y + i, s = col + x + j;
      if (r >= m || s >= n) continue;
      long at = item * stride_c + (long)r * ldc + s;
      float v = alpha * acc[i][j];
      if (bias) v += bias[s];
      if (residual) v += residual[at];
      c[at] = quickgelu ? quickgelu_f(v) : v;
    }
}

// What follows a product that another library computed into c [., width].
KERNEL epilogue(float* c, const float* bias, const float* residual, int n, int width, int quickgelu) {
  int i = element();
  if (i >= n) return;
  float v = c[i];
  if (bias) v += bias[i % width];
  if (residual) v += residual[i];
  c[i] = quickgelu ? quickgelu_f(v) : v;
}
