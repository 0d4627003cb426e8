// A warp a row: what normalises rows, forward and backward. A lane reads and
// writes the elements lane, lane + 32, ... alone, so results may lie over
// operands.
#pragma once
#include "math.h"

#define ROW(rows)                                              \
  int row = BLOCK * BLOCK_ROWS + TID / WARP, lane = TID % WARP; \
  if (row >= (rows)) return;                                   \
  const long at = (long)row * n;
#define EACH(i) for (int i = lane; i < n; i += WARP)

DEVICE float row_max(const float* x, int n, int lane) {
  float m = -INFINITY_F;
  EACH(i) m = greater(m, x[i]);
  return warp_max(m);
}
DEVICE float row_sum(const float* x, int n, int lane) {
  float s = 0.f;
  EACH(i) s += x[i];
  return warp_sum(s);
}
DEVICE float row_dot(const float* x, const float* y, int n, int lane) {
  float s = 0.f;
  EACH(i) s += x[i] * y[i];
  return warp_sum(s);
}
DEVICE float log_sum_exp(const float* x, int n, int lane) {
  float m = row_max(x, n, lane), s = 0.f;
  EACH(i) s += exp_f(x[i] - m);
  return m + log_f(warp_sum(s));
}
// The mean of a row and its biased variance.
DEVICE float variance(const float* x, int n, int lane, float* mean) {
  *mean = row_sum(x, n, lane) / (float)n;
  float q = 0.f;
  EACH(i) {
    float d = x[i] - *mean;
    q += d * d;
  }
  return warp_sum(q) / (float)n;
}

KERNEL softmax(const float* x, float* y, int rows, int n) {
  ROW(rows)
  float m = row_max(x + at, n, lane), s = 0.f;
  EACH(i) {
    float e = exp_f(x[at + i] - m);
    s += e;
    y[at + i] = e;
  }
  s = 1.f / warp_sum(s);
  EACH(i) y[at + i] *= s;
}

KERNEL softmax_grad(const float* y, const float* dy, float* dx, int rows, int n) {
  ROW(rows)
  float d = row_dot(y + at, dy + at, n, lane);
  EACH(i) dx[at + i] = y[at + i] * (dy[at + i] - d);
}

KERNEL log_softmax(const float* x, float* y, int rows, int n) {
  ROW(rows)
  float l = log_sum_exp(x + at, n, lane);
  EACH(i) y[at + i] = x[at + i] - l;
}

KERNEL log_softmax_grad(const float* y, const float* dy, float* dx, int rows, int n) {
  ROW(rows)
  float s = row_sum(dy + at, n, lane);
  EACH(i) dx[at + i] = dy[at + i] - s * exp_f(y[at + i]);
}

// Each row's negative log-likelihood of its label. A label out of range, which
// check_indices reports, gives 0.
KERNEL cross_entropy(const float* x, const long* labels, float* y, int rows, int n) {
  ROW(rows)
  float l = log_sum_exp(x + at, n, lane);
  long c = labels[row];
  if (lane == 0) y[row] = c >= 0 && c < n ? l - x[at + c] : 0.f;
}

KERNEL cross_entropy_grad(const float* x, const long* labels, const float* dout, float* dx, int rows, int n) {
  ROW(rows)
  float l = log_sum_exp(x + at, n, lane), k = *dout / (float)rows;
  EACH(i) dx[at + i] = k * (exp_f(x[at + i] - l) - (i == labels[row] ? 1.f : 0.f));
}

KERNEL layernorm(const float* x, const float* gamma, const float* beta, float* y, int rows, int n, float eps) {
  ROW(rows)
  float mean, r = 1.f / __builtin_sqrtf(variance(x + at, n, lane, &mean) + eps);
  EACH(i) y[at + i] = (x[at + i] - mean) * r * gamma[i] + beta[i];
}

// With z = (x - mean) r and g = gamma dy: dx = r (g - mean(g) - z mean(g z)), to
// which the residual's gradient is added, if there is one.
KERNEL layernorm_grad(const float* x, const float* gamma, const float* dy, const float* residual, float* dx, int rows,
                      int n, float eps) {
  ROW(rows)
  float mean, r = 1.f / __builtin_sqrtf(variance(x + at, n, lane, &mean) + eps), plain = 0.f, along = 0.f;
  EACH(i) {
    float g = gamma[i] * dy[at + i];
    plain += g;
    along += g * (x[at + i] - mean) * r;
  }
  plain = warp_sum(plain) / (float)n;
  along = warp_sum(along) / (float)n;
  EACH(i) {
    float v = r * (gamma[i] * dy[at + i] - plain - (x[at + i] - mean) * r * along);
    dx[at + i] = residual ? v + residual[at + i] : v;
  }
}

// The mean and 1/sqrt(variance + eps) of each row.
KERNEL row_moments(const float* x, float* means, float* inverses, int rows, int n, float eps) {
  ROW(rows)
  float mean, v = variance(x + at, n, lane, &mean);
  if (lane == 0) {
    means[row] = mean;
    inverses[row] = 1.f / __builtin_sqrtf(v + eps);
  }
}

// The gradient of LayerNorm's gamma, summed over chunks of rows: a thread a
// chunk of one column, y [chunks, n].
KERNEL layernorm_scale_grad(const float* x, const float* dy, const float* means, const float* inverses, float* y,
                            int rows, int n, int chunk, int chunks) {
  int t = element();
  if (t >= chunks * n) return;
  int j = t % n, from = t / n * chunk, to = smaller(from + chunk, rows);
  float s = 0.f;
  for (int r = from; r < to; r++) s += dy[(long)r * n + j] * ((x[(long)r * n + j] - means[r]) * inverses[r]);
  y[t] = s;
}

// x/max(|x|, eps).
KERNEL l2(const float* x, float* y, int rows, int n, float eps) {
  ROW(rows)
  float length = __builtin_sqrtf(row_dot(x + at, x + at, n, lane));
  float k = 1.f / (length < eps ? eps : length);
  EACH(i) y[at + i] = k * x[at + i];
}

// dx = (dy - x (x.dy)/|x|²)/|x|; dy/eps where the row is shorter than eps.
KERNEL l2_grad(const float* x, const float* dy, float* dx, int rows, int n, float eps) {
  ROW(rows)
  float length = __builtin_sqrtf(row_dot(x + at, x + at, n, lane));
  float k = 1.f / (length < eps ? eps : length), along = 0.f;
  if (length >= eps && length > 0.f) along = row_dot(x + at, dy + at, n, lane) * k * k * k;
  EACH(i) dx[at + i] = k * dy[at + i] - along * x[at + i];
}

// (x - mean)/(deviation + eps).
KERNEL standardise(const float* x, float* y, int rows, int n, float eps) {
  ROW(rows)
  float mean, k = 1.f / (__builtin_sqrtf(variance(x + at, n, lane, &mean)) + eps);
  EACH(i) y[at + i] = (x[at + i] - mean) * k;
}

KERNEL standardise_grad(const float* x, const float* dy, float* dx, int rows, int n, float eps) {
  ROW(rows)
  float mean, deviation = __builtin_sqrtf(variance(x + at, n, lane, &mean)), along = 0.f;
  float d = deviation + eps, plain = row_sum(dy + at, n, lane) / (float)n;
  EACH(i) along += dy[at + i] * (x[at + i] - mean);
  along = warp_sum(along) / (float)n;
  float k = deviation > 0.f ? along / (d * d * deviation) : 0.f;
  EACH(i) dx[at + i] = (dy[at + i] - plain) / d - (x[at + i] - mean) * k;
}

// Columns of x [rows, n] to mean 0 and variance 1: a thread a column.
DEVICE float column_moments(const float* x, int rows, int n, float eps, float* mean) {
  float s = 0.f, q = 0.f;
  for (int r = 0; r < rows; r++) s += x[(long)r * n];
  *mean = s / (float)rows;
  for (int r = 0; r < rows; r++) {
    float d = x[(long)r * n] - *mean;
    q += d * d;
  }
  return 1.f / __builtin_sqrtf(q / (float)rows + eps);
}

KERNEL standardise_columns(const float* x, float* y, int rows, int n, float eps) {
  int j = element();
  if (j >= n) return;
  float mean, k = column_moments(x + j, rows, n, eps, &mean);
  for (int r = 0; r < rows; r++) y[(long)r * n + j] = (x[(long)r * n + j] - mean) * k;
}

KERNEL standardise_columns_grad(const float* x, const float* dy, float* dx, int rows, int n, float eps) {
  int j = element();
  if (j >= n) return;
  float mean, k = column_moments(x + j, rows, n, eps, &mean), plain = 0.f, along = 0.f;
  for (int r = 0; r < rows; r++) {
    plain += dy[(long)r * n + j];
    along += dy[(long)r * n + j] * (x[(long)r * n + j] - mean) * k;
  }
  plain /= (float)rows;
  along /= (float)rows;
  for (int r = 0; r < rows; r++)
    dx[(long)r * n + j] = k * (dy[(long)r * n + j] - plain - (x[(long)r * n + j] - mean) * k * along);
}
