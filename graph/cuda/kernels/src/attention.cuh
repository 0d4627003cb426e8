// Scaled dot-product attention over packed queries, keys and values, [items,
// tokens, 3W] with H heads side by side, without a matrix of weights in memory
// (Dao et al., arXiv 2205.14135). Eight threads share a query; what they hold of
// it lies in every eighth column.
#pragma once
#include "math.h"

#define QUERIES 16    // of a block
#define KEYS 32       // at a time
#define MAX_WIDTH 128 // of a head
#define SHARE 8       // threads of a query
#define COLUMNS (MAX_WIDTH / SHARE)

// Which keys a query sees. begin is null, or where each row's text begins, 0 for
// the rows of a prefix that all texts share. A bias is added to the logits at one
// token.
struct Mask {
  const long* begin;
  int prefix, causal, tokens, token;
  float bias;
};

DEVICE int begin_of(Mask m, int row) { return m.begin && row < m.tokens ? (int)m.begin[row] : 0; }

DEVICE bool sees(Mask m, int query, int begin, int key) {
  return query < m.tokens && key < m.tokens && (!m.causal || (key <= query && (key < m.prefix || key >= begin)));
}

DEVICE float bias_of(Mask m, int key) { return key == m.token ? m.bias : 0.f; }

// Rows [from, from+count) of one head into shared memory, scaled; zero outside
// the tokens, and up to a multiple of SHARE columns.
template <int STRIDE>
DEVICE void load_rows(float (*to)[STRIDE], const float* x, int ld, int from, int count, int tokens, int d, float scale) {
  int width = (d + SHARE - 1) / SHARE * SHARE;
  for (int e = TID; e < count * width; e += ROW_THREADS) {
    int r = e / width, c = e % width;
    to[r][c] = from + r < tokens && c < d ? scale * x[(long)(from + r) * ld + c] : 0.f;
  }
}

DEVICE float share_sum(float v) {
  for (int m = SHARE / 2; m > 0; m >>= 1) v += shuffle(v, m);
  return v;
}
DEVICE float share_max(float v) {
  for (int m = SHARE / 2; m > 0; m >>= 1) v = greater(v, shuffle(v, m));
  return v;
}

DEVICE float dot(const float* a, const float* b, int d) {
  float s = 0.f;
#pragma unroll 4
  for (int i = 0; i < d; i++) s += a[i] * b[i];
  return s;
}

// acc += w row, this thread's columns of it.
DEVICE void add_row(float* acc, float w, const float* row, int lane, int d) {
#pragma unroll
  for (int x = 0; x < COLUMNS; x++)
    if (x * SHARE < d) acc[x] += w * row[lane + x * SHARE];
}

DEVICE void store_row(float* y, const float* acc, float scale, int lane, int d) {
#pragma unroll
  for (int x = 0; x < COLUMNS; x++)
    if (lane + x * SHARE < d) y[lane + x * SHARE] = acc[x] * scale;
}

// The first tile of keys, or of queries, at or after one that may hold a pair
// that is seen: tiles between the prefix and the texts of a tile are skipped.
DEVICE int next_keys(Mask m, int key, int keys, int begin) {
  return key >= m.prefix && key + keys <= begin ? begin / keys * keys : key;
}

// softmax(scale q kᵀ) v to y [items, tokens, W]; a block QUERIES of one head.
KERNEL attention(const float* qkv, const long* begin, float* y, int tokens, int heads, int width, int prefix,
                 int causal, int token, float bias, float scale) {
  SHARED float q[QUERIES][MAX_WIDTH], k[KEYS][MAX_WIDTH + 1], v[KEYS][MAX_WIDTH], p[QUERIES][KEYS + 1];
  Mask mask = {begin, prefix, causal, tokens, token, bias};
  int tiles = (tokens + QUERIES - 1) / QUERIES, from = BLOCK % tiles * QUERIES;
  int head = BLOCK / tiles % heads, d = width / heads, ld = 3 * width;
  long item = BLOCK / tiles / heads;
  qkv += item * tokens * ld + head * d;
  int r = TID / SHARE, lane = TID % SHARE, mine = begin_of(mask, from + r), first = begin_of(mask, from);
  load_rows(q, qkv, ld, from, QUERIES, tokens, d, scale);
  float most = -INFINITY_F, sum = 0.f, acc[COLUMNS] = {};
  int end = causal ? smaller(from + QUERIES, tokens) : tokens;
  for (int key = 0; key < end; key = next_keys(mask, key + KEYS, KEYS, first)) {
    load_rows(k, qkv + width, ld, key, KEYS, tokens, d, 1.f);
    load_rows(v, qkv + 2 * width, ld, key, KEYS, tokens, d, 1.f);
    SYNC();
    float s[KEYS / SHARE], top = -INFINITY_F;
    for (int j = 0; j < KEYS / SHARE; j++) {
      int at = lane + j * SHARE;
      s[j] = sees(mask, from + r, mine, key + at) ? dot(q[r], k[at], d) + bias_of(mask, key + at) : -INFINITY_F;
      top = greater(top, s[j]);
    }
    top = greater(most, share_max(top));
    float shrink = top == -INFINITY_F ? 1.f : exp_f(most - top), more = 0.f;
    for (int j = 0; j < KEYS / SHARE; j++) {
      float e = s[j] == -INFINITY_F ? 0.f : exp_f(s[j] - top);
      more += e;
      p[r][lane + j * SHARE] = e;
    }
    most = top;
    sum = sum * shrink + share_sum(more);
    SYNC();
    for (int x = 0; x < COLUMNS; x++) acc[x] *= shrink;
#pragma unroll 1
    for (int j = 0; j < KEYS; j++) add_row(acc, p[r][j], v[j], lane, d);
    SYNC();
  }
  if (from + r < tokens) store_row(y + (item * tokens + from + r) * width + head * d, acc, 1.f / sum, lane, d);
}

#define BACK 16 // queries and keys of the backward kernels' tiles

// The gradient of the queries: dq = scale sum p (dp - delta) k, with dp = dy v and
// delta = sum p dp. A first pass over the keys finds each query's log of the sum
// of exponentials and its delta, which go to memory for the keys' gradient.
KERNEL attention_grad_queries(const float* qkv, const long* begin, const float* dy, float* dqkv, float* log_sums,
                              float* deltas, int tokens, int heads, int width, int prefix, int causal, int token, float bias,
                              float scale) {
  SHARED float q[BACK][MAX_WIDTH], g[BACK][MAX_WIDTH], k[BACK][MAX_WIDTH + 1], v[BACK][MAX_WIDTH + 1],
      p[BACK][BACK + 1];
  Mask mask = {begin, prefix, causal, tokens, token, bias};
  int tiles = (tokens + BACK - 1) / BACK, from = BLOCK % tiles * BACK;
  int head = BLOCK / tiles % heads, d = width / heads, ld = 3 * width;
  long item = BLOCK / tiles / heads;
  qkv += item * tokens * ld + head * d;
  dy += item * tokens * width + head * d;
  int r = TID / SHARE, lane = TID % SHARE, mine = begin_of(mask, from + r), first = begin_of(mask, from);
  load_rows(q, qkv, ld, from, BACK, tokens, d, scale);
  load_rows(g, dy, width, from, BACK, tokens, d, 1.f);
  float most = -INFINITY_F, sum = 0.f, delta = 0.f, log_sum = 0.f, acc[COLUMNS] = {};
  int end = causal ? smaller(from + BACK, tokens) : tokens;
  for (int pass = 0; pass < 2; pass++) {
    for (int key = 0; key < end; key = next_keys(mask, key + BACK, BACK, first)) {
      load_rows(k, qkv + width, ld, key, BACK, tokens, d, 1.f);
      load_rows(v, qkv + 2 * width, ld, key, BACK, tokens, d, 1.f);
      SYNC();
      float s[BACK / SHARE], dp[BACK / SHARE], top = -INFINITY_F;
      for (int j = 0; j < BACK / SHARE; j++) {
        int at = lane + j * SHARE;
        s[j] = sees(mask, from + r, mine, key + at) ? dot(q[r], k[at], d) + bias_of(mask, key + at) : -INFINITY_F;
        dp[j] = dot(g[r], v[at], d);
        top = greater(top, s[j]);
      }
      if (pass == 0) {
        top = greater(most, share_max(top));
        float shrink = top == -INFINITY_F ? 1.f : exp_f(most - top), more = 0.f, along = 0.f;
        for (int j = 0; j < BACK / SHARE; j++) {
          float e = s[j] == -INFINITY_F ? 0.f : exp_f(s[j] - top);
          more += e;
          along += e * dp[j];
        }
        most = top;
        sum = sum * shrink + share_sum(more);
        delta = delta * shrink + share_sum(along);
      } else {
        for (int j = 0; j < BACK / SHARE; j++)
          p[r][lane + j * SHARE] = s[j] == -INFINITY_F ? 0.f : exp_f(s[j] - log_sum) * (dp[j] - delta);
        SYNC();
#pragma unroll 1
        for (int j = 0; j < BACK; j++) add_row(acc, p[r][j], k[j], lane, d);
      }
      SYNC();
    }
    if (pass == 0) {
      log_sum = most + log_f(sum);
      delta /= sum;
    }
  }
  if (from + r >= tokens) return;
  store_row(dqkv + (item * tokens + from + r) * ld + head * d, acc, scale, lane, d);
  if (lane == 0) {
    long at = (item * heads + head) * tokens + from + r;
    log_sums[at] = log_sum;
    deltas[at] = delta;
  }
}

// The gradients of keys and values: dv = sum p dy, dk = scale sum p (dp - delta) q;
// a block BACK keys of one head, over the queries that see them. Part s of splits
// takes every splits-th tile of queries; its sums go to dk and dv, whose rows,
// items and parts lie as far apart as ld_out, item_out and part_out say.
KERNEL attention_grad_keys(const float* qkv, const long* begin, const float* dy, const float* log_sums,
                           const float* deltas, float* dk, float* dv, int tokens, int keys, int heads, int width,
                           int prefix, int causal, int token, float bias, float scale, int first_key, int splits,
                           int ld_out, long item_out, long part_out) {
  SHARED float q[BACK][MAX_WIDTH + 1], g[BACK][MAX_WIDTH + 1], k[BACK][MAX_WIDTH], v[BACK][MAX_WIDTH],
      p[BACK][BACK + 1], ds[BACK][BACK + 1];
  Mask mask = {begin, prefix, causal, tokens, token, bias};
  int tiles = (keys + BACK - 1) / BACK, from = first_key + BLOCK % tiles * BACK;
  int head = BLOCK / tiles % heads, part = BLOCK / tiles / heads % splits, d = width / heads, ld = 3 * width;
  int end = first_key + keys; // of this launch's keys
  long item = BLOCK / tiles / heads / splits;
  qkv += item * tokens * ld + head * d;
  dy += item * tokens * width + head * d;
  log_sums += (item * heads + head) * tokens;
  deltas += (item * heads + head) * tokens;
  int r = TID / SHARE, lane = TID % SHARE;
  load_rows(k, qkv + width, ld, from, BACK, tokens, d, 1.f);
  load_rows(v, qkv + 2 * width, ld, from, BACK, tokens, d, 1.f);
  float key_acc[COLUMNS] = {}, value_acc[COLUMNS] = {};
  for (int query = (causal ? from / BACK * BACK : 0) + part * BACK; query < tokens; query += splits * BACK) {
    if (from >= prefix && begin_of(mask, query) >= from + BACK) break; // texts that begin after these keys
    load_rows(q, qkv, ld, query, BACK, tokens, d, scale);
    load_rows(g, dy, width, query, BACK, tokens, d, 1.f);
    SYNC();
    for (int i = 0; i < BACK / SHARE; i++) {
      int at = lane + i * SHARE;
      float w = 0.f, dw = 0.f;
      if (from + r < end && sees(mask, query + at, begin_of(mask, query + at), from + r)) {
        w = exp_f(dot(k[r], q[at], d) + bias_of(mask, from + r) - log_sums[query + at]);
        dw = w * (dot(v[r], g[at], d) - deltas[query + at]);
      }
      p[r][at] = w;
      ds[r][at] = dw;
    }
    SYNC();
#pragma unroll 1
    for (int i = 0; i < BACK; i++) {
      add_row(value_acc, p[r][i], g[i], lane, d);
      add_row(key_acc, ds[r][i], q[i], lane, d);
    }
    SYNC();
  }
  if (from + r >= end) return;
  long at = part * part_out + item * item_out + (long)(from - first_key + r) * ld_out + head * d;
  store_row(dk + at, key_acc, 1.f, lane, d);
  store_row(dv + at, value_acc, 1.f, lane, d);
}

// The weights of the first token, softmax(scale q0 kᵀ + bias) [items, heads, n]; a
// warp a head.
KERNEL attention_first(const float* qkv, float* y, int rows, int n, int heads, int width, int token, float bias,
                       float scale) {
  int row = BLOCK * BLOCK_ROWS + TID / WARP, lane = TID % WARP, d = width / heads;
  if (row >= rows) return;
  const float* q = qkv + (long)(row / heads) * n * 3 * width + row % heads * d;
  float* out = y + (long)row * n;
  float most = -INFINITY_F, sum = 0.f;
  for (int i = lane; i < n; i += WARP) {
    float s = scale * dot(q, q + width + (long)i * 3 * width, d) + (i == token ? bias : 0.f);
    most = greater(most, s);
    out[i] = s;
  }
  most = warp_max(most);
  for (int i = lane; i < n; i += WARP) {
    float e = exp_f(out[i] - most);
    sum += e;
    out[i] = e;
  }
  sum = 1.f / warp_sum(sum);
  for (int i = lane; i < n; i += WARP) out[i] *= sum;
}
