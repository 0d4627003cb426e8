package cpu

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// PathVariable is the environment variable that forces one of Paths.
const PathVariable = "SPOTLIGHTER_CPU"

// portable is the name of the path without SIMD kernels.
const portable = "go"

var (
	active    *kernels // nil for the portable path
	activeErr error    // the environment asked for what cannot be had
)

func init() {
	name := os.Getenv(PathVariable)
	if name == "" {
		name = Paths()[0]
	}
	if err := Use(name); err != nil {
		activeErr = fmt.Errorf("%s: %w", PathVariable, err)
		_ = Use(Paths()[0])
	}
}

// Paths returns the names of the kernels that this processor can run, the
// fastest first: "avx512" (it needs F, VL, DQ, BW, BMI2 and FMA), "avx2" (with
// FMA) and "go", which every processor can.
func Paths() []string {
	var names []string
	for _, k := range simd {
		names = append(names, k.name)
	}
	return append(names, portable)
}

// Path returns the name of the kernels in use, and an error if the environment
// variable SPOTLIGHTER_CPU asks for others than Paths.
func Path() (string, error) {
	if active == nil {
		return portable, activeErr
	}
	return active.name, activeErr
}

// Use changes the kernels for the whole process. It must not be called while
// any of this package's functions runs.
func Use(name string) error {
	if !slices.Contains(Paths(), name) {
		return fmt.Errorf("no kernels %q for this processor, it has %s", name, strings.Join(Paths(), ", "))
	}
	active = nil
	for _, k := range simd {
		if k.name == name {
			active = k
		}
	}
	return nil
}

// kernels are the float32 functions of one instruction set. They check nothing.
type kernels struct {
	name  string
	lanes int // of a vector

	// gemm[v-1][r-1] computes tiles of r rows and v vectors, pack[v-1] packs
	// rows of v vectors, pack8 of 8 floats.
	gemm  [][]func(tiles, k int, a *float32, step, rsa, csa int, b *float32, ldb int, c *float32, ldc int, bias *float32, alpha float32, mode, lanes int)
	pack  []func(dst, src *float32, lds, rows, lanes int)
	pack8 func(dst, src *float32, lds, rows, lanes int)
	// transpose8 sets dst[k*ldd+j] = src[j*lds+k], j < 8, k < n, a multiple of 8.
	transpose8 func(dst *float32, ldd int, src *float32, lds, n int)

	add, sub        func(dst, a, b *float32, n int)
	mul, div        func(dst, a, b *float32, n int)
	addScaled       func(dst *float32, c float32, x *float32, n int)
	scale, divide   func(dst *float32, c float32, x *float32, n int)
	affine          func(dst *float32, a float32, x *float32, b float32, n int)
	sqrt            func(dst, x *float32, n int)
	exp, sigmoid    func(dst, x *float32, n int)
	gelu, quickGELU func(dst, x *float32, n int)
	geluGrad        func(dst, x, dy *float32, n int)
	quickGELUGrad   func(dst, x, dy *float32, n int)
	moment          func(dst, m, grad *float32, a, b float32, n int)
	squareMoment    func(dst, m, grad *float32, a, b float32, n int)
	adamW           func(dst, p, m, v *float32, keep, rate, inv, eps float32, n int)
	sum             func(x *float32, n int) float32
	dot             func(a, b *float32, n int) float32
	deviation       func(x *float32, mean float32, n int) float32
	max             func(x *float32, n int) (max, unordered float32)
	expSum          func(dst, x *float32, c, shift float32, n int) float32
	sumExp          func(x *float32, shift float32, n int) float32
	standardise     func(dst, x *float32, mean, rstd float32, n int)
	addStandardised func(dst, x, dy *float32, mean, rstd float32, n int)
	mulDiff         func(dst, y, dy *float32, d float32, n int)
	normalize       func(dst, x, gamma, beta *float32, mean, rstd float32, n int)
	normSums        func(x, gamma, dy *float32, mean float32, n int) (sum, product float32)
	normGrad        func(dx, x, gamma, dy *float32, mean, rstd, c, d float32, n int)
}
