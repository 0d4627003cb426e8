package ptx

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

func f32(x uint64) float32  { return math.Float32frombits(uint32(x)) }
func b32(x float32) uint64  { return uint64(math.Float32bits(x)) }
func f64(x uint64) float64  { return math.Float64frombits(x) }
func b64(x float64) uint64  { return math.Float64bits(x) }
func low(x uint64) uint64   { return x & (1<<32 - 1) }
func signed(x uint64) int64 { return int64(int32(x)) }

type (
	one   func(a uint64) uint64
	two   func(a, b uint64) uint64
	three func(a, b, c uint64) uint64
)

// compileALU makes an instruction that needs the thread's registers alone.
func (k *Kernel) compileALU(in *instruction, parts, o []string) error {
	if len(o) < 2 {
		return fmt.Errorf("not known here")
	}
	if strings.Join(parts, ".") == "mov.b64" && strings.ContainsRune(o[0]+o[1], '{') {
		return k.compilePair(in, o[0], o[1])
	}
	slots := make([]int, len(o))
	for i, s := range o {
		var err error
		if slots[i], err = k.value(s); err != nil {
			return err
		}
	}
	name := strings.Join(parts, ".")
	d, a := slots[0], slots[1]
	switch len(slots) {
	case 2:
		f := unaryALU(parts[0], name)
		if f == nil {
			return fmt.Errorf("not known here")
		}
		in.alu = func(r []uint64) { r[d] = f(r[a]) }
	case 3:
		b, f := slots[2], binaryALU(parts[0], name)
		if parts[0] == "setp" {
			f = compare(parts[1], parts[len(parts)-1])
		}
		if f == nil {
			return fmt.Errorf("not known here")
		}
		in.alu = func(r []uint64) { r[d] = f(r[a], r[b]) }
	case 4:
		b, c, f := slots[2], slots[3], ternaryALU(parts[0], name)
		if f == nil {
			return fmt.Errorf("not known here")
		}
		in.alu = func(r []uint64) { r[d] = f(r[a], r[b], r[c]) }
	default:
		return fmt.Errorf("not known here")
	}
	return nil
}

// compilePair makes a move between a 64-bit register and two halves.
func (k *Kernel) compilePair(in *instruction, to, from string) error {
	d, err := k.vector(to)
	if err != nil {
		return err
	}
	s, err := k.vector(from)
	switch {
	case err != nil:
		return err
	case len(d) == 2 && len(s) == 1:
		in.alu = func(r []uint64) { r[d[0]], r[d[1]] = low(r[s[0]]), r[s[0]]>>32 }
	case len(d) == 1 && len(s) == 2:
		in.alu = func(r []uint64) { r[d[0]] = r[s[0]] | r[s[1]]<<32 }
	default:
		return fmt.Errorf("want a pair and its whole")
	}
	return nil
}

func unaryALU(op, name string) one {
	switch name {
	case "mov.u32", "mov.s32", "mov.b32", "mov.f32":
		return low
	case "mov.u64", "mov.s64", "mov.b64", "mov.f64", "mov.pred", "mov.u16", "mov.b16", "cvta.to.global.u64", "cvta.global.u64":
		return func(a uint64) uint64 { return a }
	case "cvta.shared.u64":
		return func(a uint64) uint64 { return a + sharedBase }
	case "cvta.to.shared.u64":
		return func(a uint64) uint64 { return a - sharedBase }
	case "neg.f32":
		return func(a uint64) uint64 { return a ^ 1<<31 }
	case "neg.f64":
		return func(a uint64) uint64 { return a ^ 1<<63 }
	case "neg.s32":
		return func(a uint64) uint64 { return low(-a) }
	case "neg.s64":
		return func(a uint64) uint64 { return -a }
	case "abs.f32":
		return func(a uint64) uint64 { return a &^ (1 << 31) }
	case "abs.f64":
		return func(a uint64) uint64 { return a &^ (1 << 63) }
	case "abs.s32":
		return func(a uint64) uint64 { return low(uint64(max(signed(a), -signed(a)))) }
	case "not.pred":
		return func(a uint64) uint64 { return a ^ 1 }
	case "not.b32":
		return func(a uint64) uint64 { return low(^a) }
	case "not.b64":
		return func(a uint64) uint64 { return ^a }
	case "rcp.rn.f32":
		return func(a uint64) uint64 { return b32(1 / f32(a)) }
	case "rcp.rn.f64":
		return func(a uint64) uint64 { return b64(1 / f64(a)) }
	case "sqrt.rn.f32":
		return func(a uint64) uint64 { return b32(float32(math.Sqrt(float64(f32(a))))) }
	case "sqrt.rn.f64":
		return func(a uint64) uint64 { return b64(math.Sqrt(f64(a))) }
	case "ex2.approx.f32": // the hardware is off by up to 2 units in the last place
		return func(a uint64) uint64 { return b32(float32(math.Exp2(float64(f32(a))))) }
	}
	if op == "cvt" {
		return convert(name)
	}
	return nil
}

// convert knows the conversions of the kernels. Integers saturate, NaN is 0.
func convert(name string) one {
	switch name {
	case "cvt.u64.u32", "cvt.u32.u64", "cvt.u32.u16", "cvt.s32.s64":
		return low
	case "cvt.s64.s32":
		return func(a uint64) uint64 { return uint64(signed(a)) }
	case "cvt.u16.u32":
		return func(a uint64) uint64 { return a & 0xffff }
	case "cvt.rna.tf32.f32":
		return toTF32
	case "cvt.rni.f32.f32":
		return func(a uint64) uint64 { return b32(float32(math.RoundToEven(float64(f32(a))))) }
	case "cvt.rzi.s32.f32":
		return func(a uint64) uint64 { return low(uint64(int64(clip(float64(f32(a)), math.MinInt32, math.MaxInt32)))) }
	case "cvt.rzi.u32.f32":
		return func(a uint64) uint64 { return uint64(clip(float64(f32(a)), 0, math.MaxUint32)) }
	case "cvt.rzi.u64.f32":
		return func(a uint64) uint64 { return uint64(clip(float64(f32(a)), 0, 1<<63)) }
	case "cvt.rn.f32.s32":
		return func(a uint64) uint64 { return b32(float32(int32(a))) }
	case "cvt.rn.f32.u32":
		return func(a uint64) uint64 { return b32(float32(uint32(a))) }
	case "cvt.rn.f32.s64":
		return func(a uint64) uint64 { return b32(float32(int64(a))) }
	case "cvt.rn.f32.u64":
		return func(a uint64) uint64 { return b32(float32(a)) }
	case "cvt.rn.f64.u64":
		return func(a uint64) uint64 { return b64(float64(a)) }
	case "cvt.f64.f32":
		return func(a uint64) uint64 { return b64(float64(f32(a))) }
	case "cvt.rn.f32.f64":
		return func(a uint64) uint64 { return b32(float32(f64(a))) }
	}
	return nil
}

func clip(x, lo, hi float64) float64 {
	if x != x {
		return 0
	}
	return min(max(x, lo), hi)
}

func binaryALU(op, name string) two {
	switch name {
	case "add.f32", "add.rn.f32":
		return func(a, b uint64) uint64 { return b32(f32(a) + f32(b)) }
	case "sub.f32", "sub.rn.f32":
		return func(a, b uint64) uint64 { return b32(f32(a) - f32(b)) }
	case "mul.f32", "mul.rn.f32":
		return func(a, b uint64) uint64 { return b32(f32(a) * f32(b)) }
	case "div.rn.f32":
		return func(a, b uint64) uint64 { return b32(f32(a) / f32(b)) }
	case "cvt.rn.bf16x2.f32": // the first into the high half
		return func(a, b uint64) uint64 { return toBF16(a)<<16 | toBF16(b) }
	case "copysign.f32": // the sign of a, the size of b
		return func(a, b uint64) uint64 { return a&(1<<31) | low(b)&^(1<<31) }
	case "add.f64", "add.rn.f64":
		return func(a, b uint64) uint64 { return b64(f64(a) + f64(b)) }
	case "sub.f64", "sub.rn.f64":
		return func(a, b uint64) uint64 { return b64(f64(a) - f64(b)) }
	case "mul.f64", "mul.rn.f64":
		return func(a, b uint64) uint64 { return b64(f64(a) * f64(b)) }
	case "div.rn.f64":
		return func(a, b uint64) uint64 { return b64(f64(a) / f64(b)) }
	case "add.s32", "add.u32":
		return func(a, b uint64) uint64 { return low(a + b) }
	case "sub.s32", "sub.u32":
		return func(a, b uint64) uint64 { return low(a - b) }
	case "add.s64", "add.u64":
		return func(a, b uint64) uint64 { return a + b }
	case "sub.s64", "sub.u64":
		return func(a, b uint64) uint64 { return a - b }
	case "mul.lo.s32", "mul.lo.u32":
		return func(a, b uint64) uint64 { return low(a * b) }
	case "mul.lo.s64", "mul.lo.u64":
		return func(a, b uint64) uint64 { return a * b }
	case "mul.wide.s32":
		return func(a, b uint64) uint64 { return uint64(signed(a) * signed(b)) }
	case "mul.wide.u32":
		return func(a, b uint64) uint64 { return low(a) * low(b) }
	case "mul.hi.u32":
		return func(a, b uint64) uint64 { return low(a) * low(b) >> 32 }
	case "mul.hi.s32":
		return func(a, b uint64) uint64 { return low(uint64(signed(a) * signed(b) >> 32)) }
	case "mul.hi.u64":
		return func(a, b uint64) uint64 { h, _ := bits.Mul64(a, b); return h }
	case "and.b32", "and.b64", "and.pred", "and.b16":
		return func(a, b uint64) uint64 { return a & b }
	case "or.b32", "or.b64", "or.pred", "or.b16":
		return func(a, b uint64) uint64 { return a | b }
	case "xor.b32", "xor.b64", "xor.pred", "xor.b16":
		return func(a, b uint64) uint64 { return a ^ b }
	case "shl.b32":
		return func(a, b uint64) uint64 { return low(a << min(low(b), 63)) }
	case "shl.b64":
		return func(a, b uint64) uint64 { return a << min(low(b), 64) }
	case "shr.u32", "shr.b32":
		return func(a, b uint64) uint64 { return low(a) >> min(low(b), 63) }
	case "shr.u64", "shr.b64":
		return func(a, b uint64) uint64 { return a >> min(low(b), 64) }
	case "shr.s32":
		return func(a, b uint64) uint64 { return low(uint64(signed(a) >> min(low(b), 63))) }
	case "shr.s64":
		return func(a, b uint64) uint64 { return uint64(int64(a) >> min(low(b), 63)) }
	case "div.s32", "div.s64", "div.u32", "div.u64", "rem.s32", "rem.s64", "rem.u32", "rem.u64":
		return divide(op == "rem", name[4:])
	}
	if op == "min" || op == "max" {
		return extreme(name)
	}
	return nil
}

// divide by zero gives all ones here; a GPU gives anything.
func divide(rest bool, kind string) two {
	return func(a, b uint64) uint64 {
		x, y := int64(a), int64(b)
		switch kind {
		case "u32", "u64":
			if kind == "u32" {
				a, b = low(a), low(b)
			}
			if b == 0 {
				return math.MaxUint32
			}
			if rest {
				return a % b
			}
			return a / b
		case "s32":
			x, y = signed(a), signed(b)
		}
		if y == 0 {
			return math.MaxUint32
		}
		v := x / y
		if rest {
			v = x % y
		}
		if kind == "s32" {
			return low(uint64(v))
		}
		return uint64(v)
	}
}

func ternaryALU(op, name string) three {
	switch name {
	case "fma.rn.f32": // exact in float64 but for the last rounding, which is double in rare cases
		return func(a, b, c uint64) uint64 {
			return b32(float32(float64(f32(a))*float64(f32(b)) + float64(f32(c))))
		}
	case "fma.rn.f64":
		return func(a, b, c uint64) uint64 { return b64(math.FMA(f64(a), f64(b), f64(c))) }
	case "mad.lo.s32", "mad.lo.u32":
		return func(a, b, c uint64) uint64 { return low(a*b + c) }
	case "mad.lo.s64", "mad.lo.u64":
		return func(a, b, c uint64) uint64 { return a*b + c }
	case "mad.wide.s32":
		return func(a, b, c uint64) uint64 { return uint64(signed(a)*signed(b)) + c }
	case "mad.wide.u32":
		return func(a, b, c uint64) uint64 { return low(a)*low(b) + c }
	case "bfe.u32":
		return func(a, b, c uint64) uint64 { return low(a) >> (b & 255) & (1<<(c&255) - 1) }
	}
	if op == "selp" {
		return choose(name)
	}
	return nil
}
