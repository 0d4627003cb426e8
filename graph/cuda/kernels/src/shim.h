// The words that the kernels are written in. One source has two builds: clang's
// CUDA mode to PTX, without NVIDIA's SDK, and host C++ (define SPOTLIGHTER_HOST)
// for an emulated driver, which gives each CUDA thread a fiber.
#pragma once

#ifdef SPOTLIGHTER_HOST
#include "host.h"
#else

#define KERNEL extern "C" __attribute__((global)) void
#define DEVICE static __attribute__((device)) __inline__ __attribute__((always_inline))
#define SHARED __attribute__((shared))

#define TID ((int)__nvvm_read_ptx_sreg_tid_x())
#define BLOCK ((int)__nvvm_read_ptx_sreg_ctaid_x())
#define BLOCK_SIZE ((int)__nvvm_read_ptx_sreg_ntid_x())

// A barrier of the block.
#define SYNC() __syncthreads()

// The value that the lane whose number differs by mask holds.
DEVICE float shuffle(float v, int mask) { return __nvvm_shfl_sync_bfly_f32(~0u, v, mask, 31); }
DEVICE int shuffle(int v, int mask) { return __nvvm_shfl_sync_bfly_i32(~0u, v, mask, 31); }

// 2^x, from the special function unit.
DEVICE float exp2_fast(float x) { return __nvvm_ex2_approx_f(x); }
#endif

// Threads of a block in elementwise kernels; in the kernels of rows; and rows
// of such a block, one warp each.
#define THREADS 256
#define ROW_THREADS 128
#define WARP 32
#define BLOCK_ROWS (ROW_THREADS / WARP)

#define INFINITY_F __builtin_inff()

// The element of this thread, for one thread an element.
DEVICE int element() { return BLOCK * BLOCK_SIZE + TID; }

DEVICE int smaller(int a, int b) { return a < b ? a : b; }
DEVICE int larger(int a, int b) { return a > b ? a : b; }

// Like Go's max, NaN if either is.
DEVICE float greater(float a, float b) { return b > a || b != b ? b : a; }

// Reductions over the lanes of a warp, the result in each of them. The order is
// fixed, and every lane has the same bits: a + b is b + a.
DEVICE float warp_sum(float v) {
  for (int m = WARP / 2; m > 0; m >>= 1) v += shuffle(v, m);
  return v;
}
DEVICE float warp_max(float v) {
  for (int m = WARP / 2; m > 0; m >>= 1) v = greater(v, shuffle(v, m));
  return v;
}
DEVICE int warp_min(int v) {
  for (int m = WARP / 2; m > 0; m >>= 1) v = smaller(v, shuffle(v, m));
  return v;
}
