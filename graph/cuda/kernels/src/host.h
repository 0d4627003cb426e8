// The words of shim.h for a host C++ compiler. Whoever runs the kernels defines
// these functions: each CUDA thread is a fiber, and a block at a time runs on an
// operating system's thread.
#pragma once

int k_thread();     // number in its block
int k_block();      // number of the block
int k_block_size(); // threads of a block
void k_sync();      // returns when all threads of the block have called it

// The value that lane `lane ^ mask` of the same warp passed to its call.
unsigned k_shuffle(unsigned value, int mask);

// What each lane of the same warp passed to its call; it stays until k_taken, which
// returns when all lanes have called it.
const unsigned *const *k_give(const unsigned *words);
void k_taken();

#define KERNEL extern "C" void
#define DEVICE static inline
#define SHARED static thread_local

#define TID (k_thread())
#define BLOCK (k_block())
#define BLOCK_SIZE (k_block_size())
#define SYNC() k_sync()

DEVICE float shuffle(float v, int mask) {
  union { float f; unsigned u; } x;
  x.f = v;
  x.u = k_shuffle(x.u, mask);
  return x.f;
}
DEVICE int shuffle(int v, int mask) { return (int)k_shuffle((unsigned)v, mask); }
DEVICE float exp2_fast(float x) { return __builtin_exp2f(x); }
