// An emulated libcublas.so.12: what package blas calls of cuBLAS, for the emulated
// driver. Operands are rounded as tensor cores want them, and products summed in
// double.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };

// Of the emulated driver.
extern "C" int cuCtxGetCurrent(void **context);
extern "C" int emulator_inside(uint64_t address, uint64_t bytes);
extern "C" void emulator_note(const char *call, long long n);

API cublasGetProperty(int type, int *value) {
  const int version[] = {12, 4, 5};
  if (type < 0 || type > 2) return INVALID_VALUE;
  *value = version[type];
  return SUCCESS;
}

struct Handle { void *context; };

API cublasCreate_v2(Handle **h) {
  void *context = nullptr;
  if (cuCtxGetCurrent(&context) || !context) return NOT_INITIALIZED;
  *h = new Handle{context};
  return SUCCESS;
}
API cublasDestroy_v2(Handle *h) { delete h; return SUCCESS; }
API cublasSetWorkspace_v2(Handle *h, void *memory, size_t bytes) {
  if (!h) return NOT_INITIALIZED;
  return (uintptr_t)memory % 256 == 0 && emulator_inside((uint64_t)memory, bytes) ? SUCCESS : INVALID_VALUE;
}

// The nearest number with so many bits of fraction less: of two that are as near
// the even one, or the greater.
static float rounded(float x, int bits, bool even) {
  if (!std::isfinite(x)) return x;
  uint32_t u, half = 1u << (bits - 1);
  memcpy(&u, &x, 4);
  u = (u + (even ? half - 1 + (u >> bits & 1) : half)) & ~(2 * half - 1);
  memcpy(&x, &u, 4);
  return x;
}

// A matrix of columns ld apart, or its transpose.
struct Matrix {
  const float *x;
  int transposed, ld, rows, columns;
  bool fits() const { return ld >= (transposed ? columns : rows) && ld >= 1; }
  uint64_t bytes() const { return 4 * ((transposed ? rows - 1 : columns - 1) * (uint64_t)ld + (transposed ? columns : rows)); }
  float at(int row, int column) const { return transposed ? x[(long)row * ld + column] : x[(long)column * ld + row]; }
};

API cublasGemmStridedBatchedEx(Handle *h, int op_a, int op_b, int m, int n, int k, const float *alpha, const float *a, int type_a,
                               int lda, long long stride_a, const float *b, int type_b, int ldb, long long stride_b,
                               const float *beta, float *c, int type_c, int ldc, long long stride_c, int batch, int compute, int) {
  void *context = nullptr;
  if (!h || cuCtxGetCurrent(&context) || context != h->context) return NOT_INITIALIZED;
  if (type_a || type_b || type_c || op_a < 0 || op_a > 1 || op_b < 0 || op_b > 1 || m < 0 || n < 0 || k < 0 || batch < 0) return INVALID_VALUE;
  if (compute != 68 && compute != 75 && compute != 77) return NOT_SUPPORTED;
  emulator_note(compute == 68 ? "cublas_fp32" : compute == 75 ? "cublas_bf16" : "cublas_tf32", batch);
  auto round = [=](float x) { return compute == 68 ? x : compute == 75 ? rounded(x, 16, true) : rounded(x, 13, false); };
  for (int item = 0; item < batch; item++) {
    Matrix left = {a + item * stride_a, op_a, lda, m, k}, right = {b + item * stride_b, op_b, ldb, k, n},
           to = {c + item * stride_c, 0, ldc, m, n};
    for (const Matrix &x : {left, right, to}) {
      if (!x.fits()) return INVALID_VALUE;
      if (m && n && k && !emulator_inside((uint64_t)x.x, x.bytes())) return EXECUTION_FAILED;
    }
    std::vector<double> rows((size_t)m * k), sums(m);
    for (int p = 0; p < k; p++)
      for (int i = 0; i < m; i++) rows[(size_t)p * m + i] = round(left.at(i, p));
    for (int j = 0; j < n; j++) {
      std::fill(sums.begin(), sums.end(), 0);
      for (int p = 0; p < k; p++) {
        const double *row = rows.data() + (size_t)p * m, by = round(right.at(p, j));
        for (int i = 0; i < m; i++) sums[i] += row[i] * by;
      }
      float *out = c + item * stride_c + (long)j * ldc;
      for (int i = 0; i < m; i++) out[i] = (float)(*alpha * sums[i] + (*beta == 0 ? 0 : *beta * (double)out[i]));
    }
  }
  return SUCCESS;
}
