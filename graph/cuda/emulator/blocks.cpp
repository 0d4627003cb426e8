#include "blocks.h"

#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <vector>

#include "../kernels/src/host.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace {

const int warp = 32;
const size_t stack_size = 64 << 10;

// What a fiber waits for.
enum State { Ready, AtBarrier, AtShuffle, Done };

struct Fiber {
  char *stack = nullptr;
#if defined(__x86_64__)
  void *top = nullptr; // of the stack, while it waits
#else
  ucontext_t context;
#endif
  State state = Done;
  unsigned value = 0; // given to a shuffle
};

struct Block {
  Call kernel;
  void **args;
  int number, threads;
};

Block now;
int current; // thread of the block
std::vector<Fiber> fibers;
std::vector<const unsigned *> given; // by thread, to the others of its warp

#if defined(__x86_64__)
void *scheduler;

// Saves what a function must keep, changes stacks, and restores.
extern "C" void switch_stacks(void **from, void *to);
__asm__(".pushsection .text\n.type switch_stacks, %function\nswitch_stacks:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n.popsection\n");
#else
ucontext_t scheduler;
#endif

void leave() {
  Fiber &f = fibers[current];
#if defined(__x86_64__)
  switch_stacks(&f.top, scheduler);
#else
  swapcontext(&f.context, &scheduler);
#endif
}

void body() {
  now.kernel(now.args);
  fibers[current].state = Done;
  leave();
  abort(); // a fiber that is done is not entered
}

void begin(Fiber &f) {
  if (f.stack == nullptr) {
    f.stack = (char *)mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f.stack == MAP_FAILED) abort();
  }
  f.state = Ready;
#if defined(__x86_64__)
  void **top = (void **)(f.stack + stack_size);
  *--top = nullptr; // where body returns to, which keeps its stack aligned
  *--top = (void *)body;
  top -= 6; // the registers
  f.top = top;
#else
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = f.stack;
  f.context.uc_stack.ss_size = stack_size;
  makecontext(&f.context, body, 0);
#endif
}

void enter(int thread) {
  current = thread;
#if defined(__x86_64__)
  switch_stacks(&scheduler, fibers[thread].top);
#else
  swapcontext(&scheduler, &fibers[thread].context);
#endif
}

// Runs the threads [first, last) of a warp until each waits at the barrier or is
// done.
const char *run_warp(int first, int last) {
  for (;;) {
    int at[4] = {};
    for (int t = first; t < last; t++) {
      if (fibers[t].state == Ready) enter(t);
      at[fibers[t].state]++;
    }
    if (at[AtShuffle] == 0) return nullptr;
    if (at[AtShuffle] != warp) return "a shuffle that not all lanes of the warp come to";
    for (int t = first; t < last; t++) fibers[t].state = Ready;
  }
}

Fault run_block() {
  int n = now.threads;
  for (int t = 0; t < n; t++) begin(fibers[t]);
  for (;;) {
    int waiting = 0, done = 0;
    for (int first = 0; first < n; first += warp) {
      int last = first + warp < n ? first + warp : n;
      if (const char *what = run_warp(first, last)) return {what, now.number, first};
      for (int t = first; t < last; t++) (fibers[t].state == Done ? done : waiting)++;
    }
    if (waiting == 0) return {};
    if (done != 0) return {"a barrier that not all threads of the block come to", now.number, current};
    for (int t = 0; t < n; t++) fibers[t].state = Ready;
  }
}

} // namespace

int k_thread() { return current; }
int k_block() { return now.number; }
int k_block_size() { return now.threads; }

void k_sync() {
  fibers[current].state = AtBarrier;
  leave();
}

unsigned k_shuffle(unsigned value, int mask) {
  Fiber &f = fibers[current];
  f.value = value;
  f.state = AtShuffle;
  leave(); // until all lanes have given their values
  unsigned got = fibers[current ^ mask].value;
  f.state = AtShuffle;
  leave(); // until all lanes have read them
  return got;
}

const unsigned *const *k_give(const unsigned *words) {
  given[current] = words;
  fibers[current].state = AtShuffle;
  leave();
  return &given[current / warp * warp];
}

void k_taken() {
  fibers[current].state = AtShuffle;
  leave();
}

Fault run_blocks(Call kernel, void **args, int blocks, int threads) {
  if ((int)fibers.size() < threads) {
    fibers.resize(threads);
    given.resize(threads);
  }
  for (int b = 0; b < blocks; b++) {
    now = {kernel, args, b, threads};
    Fault f = run_block();
    if (f.what) return f;
  }
  return {};
}
