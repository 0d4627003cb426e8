// Package ptx runs PTX, the assembly of CUDA, in plain Go, to test kernels where
// there is no GPU. It knows the instructions that clang writes for the kernels of
// this repository and refuses others when it parses them.
//
// Threads of a block take turns: each runs until it needs others (a barrier, a
// shuffle, a product of a warp) or ends. Besides results it finds what a GPU
// would do silently or at times: accesses outside of an allocation or misaligned,
// barriers and shuffles that not all threads reach, and races, where two threads
// touch a word, one of them to write, with nothing between that orders them.
package ptx
