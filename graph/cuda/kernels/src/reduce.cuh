// Sums and maxima along an axis, in a fixed order. Long axes are cut into chunks
// whose results a second launch joins.
#pragma once
#include "math.h"

enum { SUM, MAX, SQUARES };

DEVICE float first_of(int fn) { return fn == MAX ? -INFINITY_F : 0.f; }
DEVICE float join(int fn, float a, float x) { return fn == MAX ? greater(a, x) : fn == SUM ? a + x : a + x * x; }

// Rows of n elements, a warp a chunk of one: y [rows, chunks], times scale.
KERNEL reduce_rows(int fn, const float* x, float* y, int rows, int n, int chunk, int chunks, float scale) {
  int t = BLOCK * BLOCK_ROWS + TID / WARP, lane = TID % WARP;
  if (t >= rows * chunks) return;
  int from = t % chunks * chunk, to = smaller(from + chunk, n);
  const float* row = x + (long)(t / chunks) * n;
  float a = first_of(fn);
  for (int i = from + lane; i < to; i += WARP) a = join(fn, a, row[i]);
  a = fn == MAX ? warp_max(a) : warp_sum(a);
  if (lane == 0) y[t] = a * scale;
}

// The middle axis of [outer, n, inner], a thread a chunk of one column:
// y [outer, chunks, inner].
KERNEL reduce_columns(int fn, const float* x, float* y, int outer, int n, int inner, int chunk, int chunks) {
  int t = element();
  if (t >= outer * chunks * inner) return;
  int j = t % inner, r = t / inner;
  int from = r % chunks * chunk, to = smaller(from + chunk, n);
  const float* column = x + (long)(r / chunks) * n * inner + j;
  float a = first_of(fn);
  for (int i = from; i < to; i++) a = join(fn, a, column[(long)i * inner]);
  y[t] = a;
}

// The gradient of a maximum over the middle axis goes to the first element that
// attains it; a thread a column.
KERNEL max_grad(const float* x, const float* dy, float* dx, int outer, int n, int inner) {
  int t = element();
  if (t >= outer * inner) return;
  long base = (long)(t / inner) * n * inner + t % inner;
  int best = 0;
  for (int i = 1; i < n; i++)
    if (x[base + (long)i * inner] > x[base + (long)best * inner]) best = i;
  for (int i = 0; i < n; i++) dx[base + (long)i * inner] = i == best ? dy[t] : 0.f;
}
