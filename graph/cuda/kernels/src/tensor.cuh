// Products of matrices on tensor cores, their operands rounded to tf32 or bf16, sums
// in float32.
#pragma once
#include "math.h"
#include "mma.h"

#define SIDE 128 // rows and columns of C that a block computes
#define WORDS 16 // of each, that it holds at a time: 16 tf32s, or 32 bf16s
#define STEP 20  // words between rows of a tile: what lanes read together lies in 32 banks
#define LOADS (SIDE * WORDS / THREADS) // words of a tile that a thread loads

// Where a thread's words of a tile are: row[i], word[i] by steps from the first. It
// reads along the axis that is dense in memory.
struct Share {
  int row, word, rows, words;
};
DEVICE Share share_of(int along) {
  Share s = {TID % SIDE, TID / SIDE, 0, THREADS / SIDE};
  if (along) s = {TID / WORDS, TID % WORDS, THREADS / WORDS, 0};
  return s;
}

// The thread's numbers of op(X), [rows, K] as op says, zero outside: `per` a word.
DEVICE void fetch(const int per, float* v, const float* x, int ld, int along, int row, int rows, int k, int depth) {
  Share s = share_of(along);
  long by_row = along ? ld : 1, by_depth = along ? 1 : ld;
#pragma unroll
  for (int i = 0; i < LOADS; i++) {
    int r = row + s.row + i * s.rows, d = k + per * (s.word + i * s.words);
#pragma unroll
    for (int j = 0; j < per; j++) v[i * per + j] = r < rows && d + j < depth ? x[r * by_row + (d + j) * by_depth] : 0.f;
  }
}

// Rounds them into the tile [SIDE, WORDS].
DEVICE void put(const int per, unsigned* tile, const float* v, int along) {
  Share s = share_of(along);
#pragma unroll
  for (int i = 0; i < LOADS; i++)
    tile[(s.row + i * s.rows) * STEP + s.word + i * s.words] = per == 2 ? bf16_word(v[i * 2], v[i * 2 + 1]) : tf32_word(v[i]);
}

// What gemm computes, by eight warps of 64 rows and 32 columns each. While a tile is
// multiplied the next one is on its way.
DEVICE void tensor_gemm(const int per, unsigned (*left)[SIDE * STEP], unsigned (*right)[SIDE * STEP], const float* a,
                        const float* b, float* c, const float* bias, const float* residual, int m, int n, int k, int lda,
                        int ldb, int ldc, long stride_a, long stride_b, long stride_c, int ta, int tb, int quickgelu,
                        float alpha) {
  int wide = (n + SIDE - 1) / SIDE, high = (m + SIDE - 1) / SIDE;
  int col = BLOCK % wide * SIDE, row = BLOCK / wide % high * SIDE;
  long item = BLOCK / wide / high;
  a += item * stride_a;
  b += item * stride_b;
  int warp = TID / WARP, group = TID % WARP / 4, lane = TID % 4;
  int y = warp / 4 * 64, x = warp % 4 * 32; // of the warp
  int idle = row + y >= m || col + x >= n;
  float acc[4][4][4] = {};
  float va[LOADS * 2], vb[LOADS * 2];
  int depth = WORDS * per, now = 0;
  if (k > 0) {
    fetch(per, va, a, lda, !ta, row, m, 0, k);
    fetch(per, vb, b, ldb, tb, col, n, 0, k);
    put(per, left[0], va, !ta);
    put(per, right[0], vb, tb);
  }
  for (int p = 0; p < k; p += depth, now ^= 1) {
    SYNC();
    if (p + depth < k) {
      fetch(per, va, a, lda, !ta, row, m, p + depth, k);
      fetch(per, vb, b, ldb, tb, col, n, p + depth, k);
    }
    if (!idle)
#pragma unroll
      for (int w = lane; w < WORDS; w += 8) {
        unsigned u[4][4], v[4][2];
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const unsigned* word = left[now] + (y + 16 * i + group) * STEP + w;
          u[i][0] = word[0], u[i][1] = word[8 * STEP], u[i][2] = word[4], u[i][3] = word[8 * STEP + 4];
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
          const unsigned* word = right[now] + (x + 8 * j + group) * STEP + w;
          v[j][0] = word[0], v[j][1] = word[4];
        }
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
          for (int j = 0; j < 4; j++) mma(per == 2, acc[i][j], u[i], v[j]);
      }
    if (p + depth < k) {
      put(per, left[now ^ 1], va, !ta);
      put(per, right[now ^ 1], vb, tb);
    }
  }
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 4; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        int r = row + y + 16 * i + group + e / 2 * 8, s = col + x + 8 * j + 2 * lane + e % 2;
        if (r >= m || s >= n) continue;
        long at = item * stride_c + (long)r * ldc + s;
        float v = alpha * acc[i][j][e];
        if (bias) v += bias[s];
        if (residual) v += residual[at];
        c[at] = quickgelu ? quickgelu_f(v) : v;
      }
}

#define TENSOR_GEMM(name, per) \
  KERNEL name(const float* a, const float* b, float* c, const float* bias, const float* residual, int m, int n, int k, \
              int lda, int ldb, int ldc, long stride_a, long stride_b, long stride_c, int ta, int tb, int quickgelu, \
              float alpha) { \
    SHARED unsigned left[2][SIDE * STEP], right[2][SIDE * STEP]; \
    tensor_gemm(per, left, right, a, b, c, bias, residual, m, n, k, lda, ldb, ldc, stride_a, stride_b, stride_c, ta, tb, \
                quickgelu, alpha); \
  }

TENSOR_GEMM(gemm_tf32, 1)
TENSOR_GEMM(gemm_bf16, 2)
