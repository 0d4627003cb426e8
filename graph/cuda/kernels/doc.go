// Package kernels holds the CUDA kernels of the product, and how operations are
// computed by them.
//
// The kernels are written in CUDA C (src), compiled to PTX by src/build, and
// embedded as PTX. An operation of the graph implements Op: it writes down the
// launches that compute it, on symbolic addresses, into a List. A backend gives
// the addresses values and launches; nothing here knows a driver.
//
// All values are Float32 or, for indices, 64-bit ints. Elements are counted in 31
// bits. No kernel adds floats by atomics: the same launches give the same bits.
// Products keep float32, or round their operands for tensor cores (List.TensorCore).
package kernels
