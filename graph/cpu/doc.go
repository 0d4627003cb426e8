// Package cpu computes on the processor: a Pool that shares work between
// threads, matrix products, and the loops over rows that a transformer needs.
//
// Every function is generic over Float. Float32 is what models run in and has
// SIMD kernels, written by the generator in gen; Float64 is what they are
// checked with and is plain Go. A result depends on the operands and the kernels
// in use (see Path), never on the number of threads.
package cpu

import "unsafe"

//go:generate go run ./gen -pkg cpu -out simd_amd64.s -stubs simd_amd64.go

// Float is the element type of a kernel: float32 in use, float64 in checks.
type Float interface{ ~float32 | ~float64 }

// single says whether T is a float32.
func single[T Float]() bool {
	var x T
	return unsafe.Sizeof(x) == 4
}

// f32 is x as float32s: for a T that is single.
func f32[T Float](x []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// f64 is x as float64s: for a T that is not single.
func f64[T Float](x []T) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
