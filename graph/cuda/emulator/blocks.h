// Runs the host build of the kernels as a card would: a fiber a CUDA thread.
#pragma once

// A kernel, by a function that takes the addresses of its arguments.
typedef void (*Call)(void **args);

// Why a launch failed. A card reports all of these as its driver's error 719.
struct Fault {
  const char *what; // nullptr: it did not
  int block, thread;
};

// Runs `blocks` blocks of `threads` threads, one after the other. A barrier or a
// shuffle that not all threads of the block, or of the warp, come to is a fault. One
// call at a time.
Fault run_blocks(Call kernel, void **args, int blocks, int threads);
