// The memory of classes: prototypes, readings, and what a batch writes to them.
#pragma once
#include "rows.cuh"

// The prototype of its image's class that each token z [tokens, d] is most like:
// a number among classes*p, -1 if the label is bad; a warp a token, k an image.
KERNEL bank_assign(const float* bank, const float* z, const long* labels, int* cell, int tokens, int k, int classes,
                   int p, int n) {
  ROW(tokens)
  long c = labels[row / k];
  int best = -1;
  float most = -INFINITY_F;
  if (c >= 0 && c < classes) {
    best = 0; // as where no similarity is a number
    for (int j = 0; j < p; j++) {
      float v = row_dot(z + at, bank + (c * p + j) * n, n, lane);
      if (v > most) {
        most = v;
        best = (int)c * p + j;
      }
    }
  }
  if (lane == 0) cell[row] = best;
}

// Moves each prototype [rows, n] that tokens were assigned to: normalise(mu m +
// (1-mu) sum u z), u = e^(score - greatest score of its tokens); a warp each.
KERNEL bank_write(const float* bank, const float* z, const float* score, const int* cell, float* y, int rows, int n,
                  int tokens, float keep, float take) {
  ROW(rows)
  float most = -INFINITY_F;
  int any = 0;
  for (int t = 0; t < tokens; t++)
    if (cell[t] == row) {
      if (!any || score[t] > most) most = score[t];
      any = 1;
    }
  if (!any) {
    EACH(i) y[at + i] = bank[at + i];
    return;
  }
  EACH(i) y[at + i] = keep * bank[at + i];
  for (int t = 0; t < tokens; t++) {
    if (cell[t] != row) continue;
    float u = take * exp_f(score[t] - most);
    EACH(i) y[at + i] += u * z[(long)t * n + i];
  }
  float length = __builtin_sqrtf(row_dot(y + at, y + at, n, lane));
  float k = 1.f / (length < 1e-12f ? 1e-12f : length);
  EACH(i) y[at + i] *= k;
}

// Moves a class's reading h [rows, n] towards the mean of what was read of its
// images f [images, n]: all the way if it was not seen before; a warp a class.
KERNEL reading_write(const float* h, const float* seen, const float* f, const long* labels, float* y, int rows, int n,
                     int images, float mu) {
  ROW(rows)
  int mine = 0;
  for (int b = 0; b < images; b++) mine += labels[b] == row;
  float keep = mine == 0 ? 1.f : seen[row] == 0.f ? 0.f : mu;
  EACH(i) y[at + i] = keep * h[at + i];
  float step = (1.f - keep) / (float)mine;
  for (int b = 0; b < images; b++)
    if (labels[b] == row) EACH(i) y[at + i] += step * f[(long)b * n + i];
}

// Marks the classes of a batch; a thread a class.
KERNEL seen_write(const float* seen, const long* labels, float* y, int classes, int images) {
  int c = element();
  if (c >= classes) return;
  float v = seen[c];
  for (int b = 0; b < images; b++)
    if (labels[b] == c) v = 1.f;
  y[c] = v;
}

// The mean of h [classes, n] over the classes seen, given how many they are; a
// thread a column.
KERNEL class_mean(const float* h, const float* seen, const float* count, float* mean, int classes, int n) {
  int j = element();
  if (j >= n) return;
  float s = 0.f;
  for (int c = 0; c < classes; c++) s += seen[c] / *count * h[(long)c * n + j];
  mean[j] = s;
}

// normalise(h - mean), zero for a class not seen, and for all while fewer than
// two are; a warp a class.
KERNEL class_reading(const float* h, const float* seen, const float* count, const float* mean, float* y, int rows,
                     int n) {
  ROW(rows)
  if (*count < 2.f || seen[row] == 0.f) {
    EACH(i) y[at + i] = 0.f;
    return;
  }
  float s = 0.f;
  EACH(i) {
    float d = h[at + i] - mean[i];
    s += d * d;
  }
  float length = __builtin_sqrtf(warp_sum(s));
  float k = 1.f / (length < 1e-12f ? 1e-12f : length);
  EACH(i) y[at + i] = k * (h[at + i] - mean[i]);
}

// The release's write: prototypes [rows, n] moved by the rows x [tokens, n]
// assigned to them, each by its weight [tokens, rows] over the greatest weight of
// all (sum) or over the sum of those assigned; then normalised. A warp each.
KERNEL release_bank_write(const float* bank, const float* x, const float* weight, const long* assigned, float* y,
                          int rows, int n, int tokens, float mu, int sum) {
  ROW(rows)
  float most = 0.f, total = 0.f;
  for (int t = 0; t < tokens; t++) {
    float w = weight[(long)t * rows + row];
    most = greater(most, w);
    if (assigned[t] == row) total += w;
  }
  float keep = total > 0.f ? mu : 1.f, by = sum ? most : total;
  EACH(i) y[at + i] = keep * bank[at + i];
  for (int t = 0; t < tokens; t++) {
    if (assigned[t] != row) continue;
    float step = (1.f - mu) * weight[(long)t * rows + row] / by;
    EACH(i) y[at + i] += step * x[(long)t * n + i];
  }
  float length = __builtin_sqrtf(row_dot(y + at, y + at, n, lane));
  float k = 1.f / (length < 1e-12f ? 1e-12f : length);
  EACH(i) y[at + i] *= k;
}
