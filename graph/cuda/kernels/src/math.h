// Functions of one number, to about two units in the last place, without
// NVIDIA's libdevice. Polynomials are least-squares fits, reweighted towards the
// least greatest error.
#pragma once
#include "shim.h"

// e^x = 2^n 2^f with n + f = x log2(e), |f| <= 1/2; log2(e) is kept in two parts.
DEVICE float exp_f(float x) {
  const float hi = 1.4426950216293335f, lo = 1.925963033500011e-08f;
  x = x < -104.f ? -104.f : x; // and NaN stays
  x = x > 89.f ? 89.f : x;
  float n = __builtin_rintf(x * hi);
  float y = exp2_fast(__builtin_fmaf(x, hi, -n) + x * lo);
  int k = (int)n, half = k >> 1; // in two steps, which reach infinity and the subnormals
  union { int i; float f; } a, b;
  a.i = (half + 127) << 23;
  b.i = (k - half + 127) << 23;
  return y * a.f * b.f;
}

// ln x = e ln 2 + ln m, m in [sqrt(1/2), sqrt(2)), and ln m = 2 atanh((m-1)/(m+1)).
DEVICE float log_f(float x) {
  if (!(x > 0.f)) return x == 0.f ? -INFINITY_F : __builtin_nanf("");
  if (x == INFINITY_F) return x;
  float e = 0.f;
  if (x < 1.17549435e-38f) { // subnormal
    x *= 8388608.f;
    e = -23.f;
  }
  union { float f; int i; } m;
  m.f = x;
  int k = (m.i - 0x3f3504f3) >> 23;
  m.i -= k << 23;
  e += (float)k;
  float s = (m.f - 1.f) / (m.f + 1.f), z = s * s;
  float p = .11809320f;
  p = p * z + .14267460f;
  p = p * z + .20000194f;
  p = p * z + .33333331f;
  float r = 2.f * s;
  r += r * z * p;
  return e * .693145751953125f + (r + e * 1.428606765330187e-06f);
}

DEVICE float tanh_f(float x) {
  float a = __builtin_fabsf(x);
  if (a < .625f) {
    float z = x * x, p = .0021331848f;
    p = p * z - .0081646014f;
    p = p * z + .021694236f;
    p = p * z - .053945187f;
    p = p * z + .13333188f;
    p = p * z - .33333328f;
    return x + x * z * p;
  }
  return __builtin_copysignf(1.f - 2.f / (exp_f(2.f * a) + 1.f), x);
}

// erf by an odd polynomial, and beyond 1 as 1 - e^-Q(x).
DEVICE float erf_f(float x) {
  float a = __builtin_fabsf(x);
  if (a < 1.f) {
    float z = x * x, p = -9.6801386e-06f;
    p = p * z + .00011270545f;
    p = p * z - .00084847113f;
    p = p * z + .0052210749f;
    p = p * z - .026865445f;
    p = p * z + .11283783f;
    p = p * z - .37612638f;
    p = p * z + 1.1283792f;
    return x * p;
  }
  a = a > 4.f ? 4.f : a; // and NaN stays
  float q = -2.513035e-07f;
  q = q * a + 2.5314484e-05f;
  q = q * a - .00046378607f;
  q = q * a + .0042823763f;
  q = q * a - .025373543f;
  q = q * a + .10863898f;
  q = q * a + .63303965f;
  q = q * a + 1.1296612f;
  q = q * a - .00020435872f;
  return __builtin_copysignf(1.f - exp_f(-q), x);
}

DEVICE float sigmoid_f(float x) { return 1.f / (1.f + exp_f(-x)); }

// x sigmoid(1.702 x), CLIP's activation.
DEVICE float quickgelu_f(float x) { return x / (1.f + exp_f(-1.702f * x)); }

// The normal distribution function.
DEVICE float normal_f(float x) { return .5f * (1.f + erf_f(x * .70710678f)); }
