// What goes by indices (64-bit on the device): rows by number, the greatest of
// rows, and the checks that name a bad one. No kernel reads or writes outside
// its operands, whatever the indices are.
#pragma once
#include "math.h"

// The failure that Status holds: a tag, 0 while there is none, and what goes
// with it. The first in the order of the launches stays.
DEVICE void report(long* status, long tag, long position, long found, long limit) {
  if (status[0] != 0) return;
  status[0] = tag;
  status[1] = position;
  status[2] = found;
  status[3] = limit;
}

// The first of n positions, of a block of THREADS that each found one or n.
DEVICE int first_in_block(int mine) {
  SHARED int found[THREADS / WARP];
  mine = warp_min(mine);
  if (TID % WARP == 0) found[TID / WARP] = mine;
  SYNC();
  for (int w = 0; w < THREADS / WARP; w++) mine = smaller(mine, found[w]);
  return mine;
}

// Reports the first index outside [0, limit); one block.
KERNEL check_indices(const long* index, int n, long limit, long* status, long tag) {
  int mine = n;
  for (int i = TID; i < n && mine == n; i += THREADS)
    if (index[i] < 0 || index[i] >= limit) mine = i;
  mine = first_in_block(mine);
  if (TID == 0 && mine < n) report(status, tag, mine, index[mine], limit);
}

// Reports the first element that is not a number; one block.
KERNEL check_numbers(const float* x, int n, long* status, long tag) {
  int mine = n;
  for (int i = TID; i < n && mine == n; i += THREADS)
    if (x[i] != x[i]) mine = i;
  mine = first_in_block(mine);
  if (TID == 0 && mine < n) report(status, tag, mine, 0, 0);
}

// Rows of each image: x [B, N, W] and index [B, K] to y [B, K, W], of n elements;
// a thread an element. A bad index gives 0.
KERNEL gather(const float* x, const long* index, float* y, int n, int most, int k, int width) {
  int t = element();
  if (t >= n) return;
  int r = t / width;
  long i = index[r];
  y[t] = i >= 0 && i < most ? x[((long)(r / k) * most + i) * width + t % width] : 0.f;
}

// Adds rows at their places, in their order: x [B, K, W] and index [B, K] into
// y [B, N, W], which is zero before; a thread a column of an image, n in all.
KERNEL scatter(const float* x, const long* index, float* y, int n, int most, int k, int width) {
  int t = element();
  if (t >= n) return;
  int b = t / width, j = t % width;
  for (int r = 0; r < k; r++) {
    long i = index[(long)b * k + r];
    if (i >= 0 && i < most) y[((long)b * most + i) * width + j] += x[((long)b * k + r) * width + j];
  }
}

// A place of a row in falling order: greater values first, equal ones by number.
struct Place {
  float value;
  int at;
};

DEVICE bool before(Place a, Place b) { return a.value > b.value || (a.value == b.value && a.at < b.at); }

// The first in order of what the lanes hold; at -1 stands for nothing.
DEVICE Place warp_first(Place p) {
  for (int m = WARP / 2; m > 0; m >>= 1) {
    Place o = {shuffle(p.value, m), shuffle(p.at, m)};
    if (o.at >= 0 && (p.at < 0 || before(o, p))) p = o;
  }
  return p;
}

// The places of the k greatest elements of each row of x [rows, n], by falling
// value; a warp a row. A row with fewer numbers than k ends in zeros.
KERNEL topk(const float* x, long* y, int rows, int n, int k) {
  int row = BLOCK * BLOCK_ROWS + TID / WARP, lane = TID % WARP;
  if (row >= rows) return;
  x += (long)row * n;
  Place last = {INFINITY_F, -1};
  for (int j = 0; j < k; j++) {
    Place best = {0.f, -1};
    for (int i = lane; i < n; i += WARP) {
      Place p = {x[i], i};
      if (before(last, p) && (best.at < 0 || before(p, best))) best = p;
    }
    best = warp_first(best);
    if (lane == 0) y[(long)row * k + j] = best.at < 0 ? 0 : best.at;
    if (best.at >= 0) last = best;
  }
}

// The k best tokens of a window of the grid around the best one, by falling
// score, for each row of scores [rows, grid²]; a warp a row. may [rows/share,
// grid²] is null or 0 at tokens that are barred; where the window has too few of
// the others, the best outside follow.
KERNEL keep_tokens(const float* score, const float* may, long* y, int rows, int share, int grid, int window, int k) {
  int row = BLOCK * BLOCK_ROWS + TID / WARP, lane = TID % WARP, n = grid * grid;
  if (row >= rows) return;
  score += (long)row * n;
  if (may) may += (long)(row / share) * n;
  Place peak = {0.f, -1};
  for (int i = lane; i < n; i += WARP) {
    Place p = {score[i], i};
    if ((!may || may[i] != 0.f) && (peak.at < 0 || before(p, peak))) peak = p;
  }
  peak = warp_first(peak);
  int at = larger(peak.at, 0), side = window ? window : grid;
  int r0 = smaller(larger(at / grid - side / 2, 0), grid - side);
  int c0 = smaller(larger(at % grid - side / 2, 0), grid - side);
  Place last = {INFINITY_F, -1};
  int inside = 1;
  for (int j = 0; j < k;) {
    Place best = {0.f, -1};
    for (int i = lane; i < n; i += WARP) {
      int r = i / grid - r0, c = i % grid - c0;
      int in = r >= 0 && r < side && c >= 0 && c < side;
      Place p = {score[i], i};
      if (in == inside && (!may || may[i] != 0.f) && before(last, p) && (best.at < 0 || before(p, best))) best = p;
    }
    best = warp_first(best);
    if (best.at < 0 && inside) { // the window is exhausted
      inside = 0;
      last.value = INFINITY_F;
      last.at = -1;
      continue;
    }
    if (lane == 0) y[(long)row * k + j] = larger(best.at, 0);
    last = best;
    j++;
  }
}

// Where a label stands among an image's candidates [B, q], the last time, or 0.
KERNEL candidate_of(const long* candidates, const long* labels, long* y, int n, int q) {
  int b = element();
  if (b >= n) return;
  int at = 0;
  for (int i = 0; i < q; i++)
    if (candidates[(long)b * q + i] == labels[b]) at = i;
  y[b] = at;
}
