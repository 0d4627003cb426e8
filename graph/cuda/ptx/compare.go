package ptx

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// compare makes a comparison: of floats those ending in u hold for NaN too.
func compare(op, kind string) two {
	var order func(a, b uint64) (int, bool) // -1, 0, 1; false for NaN
	switch kind {
	case "f32":
		order = func(a, b uint64) (int, bool) { return floatOrder(float64(f32(a)), float64(f32(b))) }
	case "f64":
		order = func(a, b uint64) (int, bool) { return floatOrder(f64(a), f64(b)) }
	case "s32":
		order = func(a, b uint64) (int, bool) { return intOrder(signed(a), signed(b)), true }
	case "s64":
		order = func(a, b uint64) (int, bool) { return intOrder(int64(a), int64(b)), true }
	case "u32", "b32":
		order = func(a, b uint64) (int, bool) { return intOrder(low(a), low(b)), true }
	case "u64", "b64", "b16", "u16":
		order = func(a, b uint64) (int, bool) { return intOrder(a, b), true }
	default:
		return nil
	}
	switch op {
	case "nan":
		return func(a, b uint64) uint64 { _, number := order(a, b); return truth(!number) }
	case "num":
		return func(a, b uint64) uint64 { _, number := order(a, b); return truth(number) }
	}
	unordered := len(op) == 3
	var holds func(c int) bool
	switch op[:2] {
	case "eq":
		holds = func(c int) bool { return c == 0 }
	case "ne":
		holds = func(c int) bool { return c != 0 }
	case "lt", "lo":
		holds = func(c int) bool { return c < 0 }
	case "le", "ls":
		holds = func(c int) bool { return c <= 0 }
	case "gt", "hi":
		holds = func(c int) bool { return c > 0 }
	case "ge", "hs":
		holds = func(c int) bool { return c >= 0 }
	default:
		return nil
	}
	return func(a, b uint64) uint64 {
		c, number := order(a, b)
		if !number {
			return truth(unordered)
		}
		return truth(holds(c))
	}
}

func floatOrder(a, b float64) (int, bool) {
	switch {
	case a < b:
		return -1, true
	case a > b:
		return 1, true
	case a == b:
		return 0, true
	}
	return 0, false
}

func intOrder[T int64 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// extreme makes the lesser or the greater of two.
func extreme(name string) two {
	switch name {
	case "max.f32": // of a number and NaN the number
		return func(a, b uint64) uint64 { return b32(other(f32(a), f32(b), max(f32(a), f32(b)))) }
	case "min.f32":
		return func(a, b uint64) uint64 { return b32(other(f32(a), f32(b), min(f32(a), f32(b)))) }
	case "min.s32":
		return func(a, b uint64) uint64 { return low(uint64(min(signed(a), signed(b)))) }
	case "max.s32":
		return func(a, b uint64) uint64 { return low(uint64(max(signed(a), signed(b)))) }
	case "min.u32":
		return func(a, b uint64) uint64 { return min(low(a), low(b)) }
	case "max.u32":
		return func(a, b uint64) uint64 { return max(low(a), low(b)) }
	case "min.s64":
		return func(a, b uint64) uint64 { return uint64(min(int64(a), int64(b))) }
	case "max.s64":
		return func(a, b uint64) uint64 { return uint64(max(int64(a), int64(b))) }
	}
	return nil
}

// other gives what is not NaN.
func other(a, b, else_ float32) float32 {
	switch {
	case a != a:
		return b
	case b != b:
		return a
	}
	return else_
}

// choose makes a choice of two by a predicate.
func choose(name string) three {
	switch name {
	case "selp.f32", "selp.b32", "selp.s32", "selp.u32", "selp.f64", "selp.b64", "selp.s64", "selp.u64", "selp.b16":
		return func(a, b, c uint64) uint64 {
			if c != 0 {
				return a
			}
			return b
		}
	}
	return nil
}
