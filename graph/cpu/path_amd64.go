package cpu

import "golang.org/x/sys/cpu"

// simd lists the kernels that this processor can run, the fastest first.
var simd = func() (list []*kernels) {
	if x := cpu.X86; x.HasFMA && x.HasAVX2 {
		if x.HasAVX512F && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512BW && x.HasBMI2 {
			list = append(list, &avx512)
		}
		list = append(list, &avx2)
	}
	return list
}()

type (
	gemmKernel = func(tiles, k int, a *float32, step, rsa, csa int, b *float32, ldb int, c *float32, ldc int, bias *float32, alpha float32, mode, lanes int)
	packKernel = func(dst, src *float32, lds, rows, lanes int)
)

var avx512 = kernels{
	name:  "avx512",
	lanes: 16,
	gemm: [][]gemmKernel{
		{gemm1x1AVX512, gemm2x1AVX512, gemm3x1AVX512, gemm4x1AVX512, gemm5x1AVX512, gemm6x1AVX512, gemm7x1AVX512, gemm8x1AVX512},
		{gemm1x2AVX512, gemm2x2AVX512, gemm3x2AVX512, gemm4x2AVX512, gemm5x2AVX512, gemm6x2AVX512, gemm7x2AVX512, gemm8x2AVX512},
		{gemm1x3AVX512, gemm2x3AVX512, gemm3x3AVX512, gemm4x3AVX512, gemm5x3AVX512, gemm6x3AVX512, gemm7x3AVX512, gemm8x3AVX512},
	},
	pack:       []packKernel{pack1AVX512, pack2AVX512, pack3AVX512},
	pack8:      pack1AVX2,
	transpose8: transpose8,
	add:        addAVX512,
	sub:        subAVX512,
	mul:        mulAVX512,
	div:        divAVX512,
	addScaled:  addScaledAVX512,
	scale:      scaleAVX512,
	divide:     divideAVX512,
	affine:     affineAVX512,
	sqrt:       sqrtAVX512,

	exp:           expAVX512,
	sigmoid:       sigmoidAVX512,
	gelu:          geluAVX512,
	geluGrad:      geluGradAVX512,
	quickGELU:     quickGELUAVX512,
	quickGELUGrad: quickGELUGradAVX512,

	moment:       momentAVX512,
	squareMoment: squareMomentAVX512,
	adamW:        adamWAVX512,

	sum:       sumAVX512,
	dot:       dotAVX512,
	deviation: deviationAVX512,
	max:       maxAVX512,
	expSum:    expSumAVX512,
	sumExp:    sumExpAVX512,
	mulDiff:   mulDiffAVX512,

	standardise:     standardiseAVX512,
	addStandardised: addStandardisedAVX512,

	normalize: normalizeAVX512,
	normSums:  normSumsAVX512,
	normGrad:  normGradAVX512,
}

var avx2 = kernels{
	name:  "avx2",
	lanes: 8,
	gemm: [][]gemmKernel{
		{gemm1x1AVX2, gemm2x1AVX2, gemm3x1AVX2, gemm4x1AVX2, gemm5x1AVX2, gemm6x1AVX2},
		{gemm1x2AVX2, gemm2x2AVX2, gemm3x2AVX2, gemm4x2AVX2, gemm5x2AVX2, gemm6x2AVX2},
	},
	pack:       []packKernel{pack1AVX2, pack2AVX2},
	pack8:      pack1AVX2,
	transpose8: transpose8,
	add:        addAVX2,
	sub:        subAVX2,
	mul:        mulAVX2,
	div:        divAVX2,
	addScaled:  addScaledAVX2,
	scale:      scaleAVX2,
	divide:     divideAVX2,
	affine:     affineAVX2,
	sqrt:       sqrtAVX2,

	exp:           expAVX2,
	sigmoid:       sigmoidAVX2,
	gelu:          geluAVX2,
	geluGrad:      geluGradAVX2,
	quickGELU:     quickGELUAVX2,
	quickGELUGrad: quickGELUGradAVX2,

	moment:       momentAVX2,
	squareMoment: squareMomentAVX2,
	adamW:        adamWAVX2,

	sum:       sumAVX2,
	dot:       dotAVX2,
	deviation: deviationAVX2,
	max:       maxAVX2,
	expSum:    expSumAVX2,
	sumExp:    sumExpAVX2,
	mulDiff:   mulDiffAVX2,

	standardise:     standardiseAVX2,
	addStandardised: addStandardisedAVX2,

	normalize: normalizeAVX2,
	normSums:  normSumsAVX2,
	normGrad:  normGradAVX2,
}
