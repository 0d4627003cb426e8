// Package driver finds NVIDIA's driver when a program asks for it.
//
// gorgonia.org/cu is linked against libcuda, initialises the driver when the
// process starts, and ends the process where there is none. With the tag
// cuda_backend this package defines the functions that cu calls: each jumps to
// the function of that name in libcuda.so.1, which Open loads. A binary with
// CUDA so starts on any machine, and touches the driver only when it is used.
//
// link/libcuda.so is what the linker finds in libcuda's place, and
// include/cuda.h makes cu compile with the headers of CUDA 13.
package driver
