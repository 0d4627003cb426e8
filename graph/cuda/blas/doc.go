// Package blas multiplies matrices by NVIDIA's cuBLAS, where a machine has it.
//
// The library is loaded when it is first asked for: nothing is linked against it,
// and no header of it is needed. It is part of CUDA, and of the wheel
// nvidia-cublas.
package blas

// Variable is the environment variable that, set to "off", leaves products to the
// program's own kernels.
const Variable = "SPOTLIGHTER_CUBLAS"
