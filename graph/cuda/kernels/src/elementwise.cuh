// One thread an element: functions of one and two operands, copies, updates.
#pragma once
#include "math.h"

// Functions of kernels.Function, in its order.
enum { EXP, LOG, SIGMOID, SQRT, SQUARE, ABS, TANH, RELU, GELU, QUICKGELU };

// y = fn(x).
KERNEL unary(int fn, const float* x, float* y, int n) {
  int i = element();
  if (i >= n) return;
  float v = x[i];
  switch (fn) {
    case EXP: v = exp_f(v); break;
    case LOG: v = log_f(v); break;
    case SIGMOID: v = sigmoid_f(v); break;
    case SQRT: v = __builtin_sqrtf(v); break;
    case SQUARE: v = v * v; break;
    case ABS: v = __builtin_fabsf(v); break;
    case TANH: v = tanh_f(v); break;
    case RELU: v = greater(v, 0.f); break;
    case GELU: v = v * normal_f(v); break;
    default: v = quickgelu_f(v);
  }
  y[i] = v;
}

// dx = dy fn'(x), given y = fn(x), which GELU and QuickGELU do without.
KERNEL unary_grad(int fn, const float* x, const float* y, const float* dy, float* dx, int n) {
  int i = element();
  if (i >= n) return;
  float d;
  switch (fn) {
    case EXP: d = y[i]; break;
    case LOG: d = 1.f / x[i]; break;
    case SIGMOID: d = y[i] * (1.f - y[i]); break;
    case SQRT: d = .5f / y[i]; break;
    case SQUARE: d = 2.f * x[i]; break;
    case ABS: d = (x[i] > 0.f ? 1.f : 0.f) - (x[i] < 0.f ? 1.f : 0.f); break;
    case TANH: d = 1.f - y[i] * y[i]; break;
    case RELU: d = x[i] > 0.f ? 1.f : 0.f; break;
    case GELU: d = normal_f(x[i]) + x[i] * exp_f(-.5f * x[i] * x[i]) * .39894228f; break;
    default: {
      float s = sigmoid_f(1.702f * x[i]);
      d = s * (1.f + 1.702f * x[i] * (1.f - s));
    }
  }
  dx[i] = dy[i] * d;
}

// y = a x + b.
KERNEL affine(const float* x, float* y, int n, float a, float b) {
  int i = element();
  if (i < n) y[i] = a * x[i] + b;
}

// Where element i of an array of sizes [., n1, n2, n3] lies by four strides.
DEVICE long place(int i, int n1, int n2, int n3, int s0, int s1, int s2, int s3) {
  int i3 = i % n3, rest = i / n3, i2 = rest % n2;
  rest /= n2;
  return (long)(rest / n1) * s0 + (long)(rest % n1) * s1 + (long)i2 * s2 + (long)i3 * s3;
}

// y = a op b with op one of + - * / (0 to 3); y is dense, [., n1, n2, n3] of n
// elements, a and b have strides, 0 where they repeat.
KERNEL binary(int op, const float* a, const float* b, float* y, int n, int n1, int n2, int n3,
              int a0, int a1, int a2, int a3, int b0, int b1, int b2, int b3) {
  int i = element();
  if (i >= n) return;
  float p = a[place(i, n1, n2, n3, a0, a1, a2, a3)], q = b[place(i, n1, n2, n3, b0, b1, b2, b3)];
  y[i] = op == 0 ? p + q : op == 1 ? p - q : op == 2 ? p * q : p / q;
}

// y = x between two arrangements of [., n1, n2, n3].
KERNEL copy(const float* x, float* y, int n, int n1, int n2, int n3,
            int x0, int x1, int x2, int x3, int y0, int y1, int y2, int y3) {
  int i = element();
  if (i < n) y[place(i, n1, n2, n3, y0, y1, y2, y3)] = x[place(i, n1, n2, n3, x0, x1, x2, x3)];
}

// y = v.
KERNEL fill(float* y, int n, float v) {
  int i = element();
  if (i < n) y[i] = v;
}

// Images [B, C, H, W] to their squares of p x p, [B, H/p, W/p, C, p, p], one
// thread a pixel; back goes the other way.
KERNEL patches(const float* x, float* y, int n, int channels, int height, int width, int p, int back) {
  int i = element();
  if (i >= n) return;
  int dx = i % p, r = i / p;
  int dy = r % p;
  r /= p;
  int c = r % channels;
  r /= channels;
  int px = r % (width / p);
  r /= width / p;
  int py = r % (height / p), b = r / (height / p);
  long at = (((long)b * channels + c) * height + py * p + dy) * width + px * p + dx;
  if (back) {
    y[at] = x[i];
  } else {
    y[i] = x[at];
  }
}

// y = keep m + take g, or g squared: a running mean of gradients.
KERNEL moment(const float* m, const float* g, float* y, int n, float keep, float take, int square) {
  int i = element();
  if (i >= n) return;
  float v = g[i];
  y[i] = keep * m[i] + take * (square ? v * v : v);
}

// b^t for a whole number t.
DEVICE double power(double b, unsigned t) {
  double r = 1;
  for (; t; t >>= 1, b *= b)
    if (t & 1) r *= b;
  return r;
}

// AdamW (Loshchilov and Hutter): y is the parameter p moved by its moments m and
// v, after the given number of steps.
KERNEL adamw(const float* p, const float* m, const float* v, const float* rate, const float* steps, float* y, int n,
             double beta1, double beta2, double decay, double eps) {
  int i = element();
  if (i >= n) return;
  double lr = *rate;
  unsigned t = (unsigned)*steps;
  float keep = (float)(1 - lr * decay), step = (float)(lr / (1 - power(beta1, t)));
  float inv = (float)(1 / (1 - power(beta2, t)));
  y[i] = keep * p[i] - step * m[i] / (__builtin_sqrtf(v[i] * inv) + (float)eps);
}

// The factor min(1, limit/(norm + 1e-6)) that clips gradients, from the sum of
// their squares.
KERNEL clip_factor(const float* squares, float* y, float limit) {
  if (element() == 0) {
    float k = limit / (__builtin_sqrtf(*squares) + 1e-6f);
    *y = k > 1.f ? 1.f : k; // NaN stays
  }
}

// A dropout mask: 0, or kept where Philox4x32-10 (Salmon et al., SC 2011) draws
// drop or more. Four elements share a draw; the counter is its number and the step.
KERNEL dropout_mask(const float* step, float* y, int n, unsigned key0, unsigned key1, unsigned drop, float kept) {
  int i = element();
  if (i >= n) return;
  unsigned long s = (unsigned long)*step;
  unsigned c0 = (unsigned)i / 4, c1 = 0, c2 = (unsigned)s, c3 = (unsigned)(s >> 32);
  for (int round = 0; round < 10; round++) {
    unsigned long p0 = 0xD2511F53ul * c0, p1 = 0xCD9E8D57ul * c2;
    c0 = (unsigned)(p1 >> 32) ^ c1 ^ key0;
    c1 = (unsigned)p1;
    c2 = (unsigned)(p0 >> 32) ^ c3 ^ key1;
    c3 = (unsigned)p0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  int w = i % 4;
  unsigned draw = w == 0 ? c0 : w == 1 ? c1 : w == 2 ? c2 : c3;
  y[i] = draw >= drop ? kept : 0.f;
}

// Noise in [0, 1) that depends on a score and its place in a row alone: the
// finaliser of MurmurHash3 on the score's bits and, above them, the place.
KERNEL scramble(const float* x, float* y, int n, int width) {
  int i = element();
  if (i >= n) return;
  union { float f; unsigned u; } v;
  v.f = x[i];
  unsigned long h = (unsigned long)v.u + ((unsigned long)(i % width) << 32);
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdul;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ul;
  h ^= h >> 33;
  y[i] = (float)((double)(h >> 11) * 0x1p-53);
}
