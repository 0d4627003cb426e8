// The words of tensor cores, on cards of compute capability 8.0 or more. A word is
// 32 bits: a tf32, or two bf16s, the first of them in the low half.
#pragma once
#include "shim.h"

#ifdef SPOTLIGHTER_HOST

// Of two numbers that are as near, the greater.
DEVICE unsigned tf32_word(float x) {
  union { float f; unsigned u; } v;
  v.f = x;
  return x - x == 0.f ? (v.u + (1u << 12)) & ~((1u << 13) - 1) : v.u; // Inf and NaN stay
}
// The even one.
DEVICE unsigned bf16(float x) {
  union { float f; unsigned u; } v;
  v.f = x;
  return x != x ? 0x7fff : (v.u + (1u << 15) - 1 + (v.u >> 16 & 1)) >> 16;
}
DEVICE unsigned bf16_word(float low, float high) { return bf16(low) | bf16(high) << 16; }

DEVICE float as_float(unsigned u) {
  union { unsigned u; float f; } v;
  v.u = u;
  return v.f;
}
DEVICE float product_of(int bf16s, unsigned a, unsigned b) {
  if (!bf16s) return as_float(a) * as_float(b);
  return as_float(a << 16) * as_float(b << 16) + as_float(a & ~0xffffu) * as_float(b & ~0xffffu);
}

DEVICE void mma(const int bf16s, float* c, const unsigned* a, const unsigned* b) {
  unsigned given[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  const unsigned *const *of = k_give(given);
  int group = TID % WARP / 4, column = TID % 4 * 2;
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < 8; k++)
      c[i] += product_of(bf16s, of[group * 4 + k % 4][i / 2 + k / 4 * 2], of[(column + i % 2) * 4 + k % 4][4 + k / 4]);
  k_taken();
}

#else

DEVICE unsigned tf32_word(float x) { return (unsigned)__nvvm_f2tf32_rna(x); }
DEVICE unsigned bf16_word(float low, float high) {
  unsigned d;
  __asm__("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
  return d;
}

// c += a b of a warp: a [16, 8 words], b [8 words, 8], c [16, 8]. A lane has in a
// the words (g, t), (g+8, t), (g, t+4), (g+8, t+4), where g is its number over 4 and
// t the rest; in b (t, g), (t+4, g); in c (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1).
DEVICE void mma(const int bf16s, float* c, const unsigned* a, const unsigned* b) {
  if (bf16s)
    __asm__("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  else
    __asm__("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
