package ptx

import (
	"fmt"
	"strings"
	"testing"
)

// module is a file of one kernel f, of parameters a and n, with an array of 16
// bytes of shared memory and another behind it. Of each thread %r1 is the number,
// %rd1 the address a, %rd2 that of element %r1 of it, and %p1 whether %r1 < n.
func module(body string) string {
	return `
.version 7.0
.target sm_70
.address_size 64

.shared .align 4 .b8 few[16];
.shared .align 4 .b8 more[1024];

.visible .entry f(
	.param .u64 f_param_0,
	.param .u32 f_param_1
)
{
	.reg .pred %p<9>;
	.reg .b32 %r<9>;
	.reg .b64 %rd<9>;
	ld.param.u64 %rd1, [f_param_0];
	ld.param.u32 %r2, [f_param_1];
	mov.u32 %r1, %tid.x;
	setp.lt.s32 %p1, %r1, %r2;
	mul.wide.s32 %rd3, %r1, 4;
	add.s64 %rd2, %rd1, %rd3;
` + body + `
	ret;
}
`
}

// What a card does silently, or now and then, is a fault, and what differs from it
// by little is none.
func TestFaults(t *testing.T) {
	const elements, threads = 64, 64
	for name, c := range map[string]struct {
		body, fault string
		n           int
	}{
		"an element a thread":          {"st.global.u32 [%rd2], %r1;", "", 0},
		"one too far":                  {"st.global.u32 [%rd2+4], %r1;", "thread 63: 4 bytes at 256 of x, which has 256", 0},
		"read too far":                 {"ld.global.u32 %r3, [%rd2+4];", "thread 63: 4 bytes at 256 of x, which has 256", 0},
		"before the first":             {"st.global.u32 [%rd2+-4], %r1;", "thread 0: address", 0},
		"nowhere":                      {"ld.global.u32 %r3, [%rd3];", "is in no allocation", 0},
		"half outside":                 {"st.global.u64 [%rd1+252], %rd3;", "8 bytes at 252 of x, which has 256", 0},
		"misaligned":                   {"ld.global.u32 %r3, [%rd1+2];", "4 bytes at 2 of x: misaligned", 0},
		"misaligned pair":              {"ld.global.v2.u32 {%r3, %r4}, [%rd1+4];", "8 bytes at 4 of x: misaligned", 0},
		"aligned pair":                 {"ld.global.v2.u32 {%r3, %r4}, [%rd1+8];", "", 0},
		"misaligned, shared":           {"ld.shared.u32 %r3, [few+2];", "4 bytes at 2 of shared memory: misaligned", 0},
		"beyond an array":              {"ld.shared.u32 %r3, [few+16];", "of shared memory, between its arrays", 0},
		"beyond all arrays":            {"ld.shared.u32 %r3, [more+1024];", "of shared memory, which has", 0},
		"all at a barrier":             {"bar.sync 0;", "", 0},
		"a warp at a barrier":          {"@%p1 bra $out;\nbar.sync 0;\n$out:", "divergent barrier", 32},
		"half a warp at a barrier":     {"@%p1 bra $out;\nbar.sync 0;\n$out:", "divergent barrier", 16},
		"two barriers":                 {"@%p1 bra $other;\nbar.sync 0;\nbra $out;\n$other:\nbar.sync 0;\n$out:", "divergent barrier", 32},
		"whole warps shuffle":          {"@%p1 bra $out;\nshfl.sync.bfly.b32 %r3, %r1, 1, 31, -1;\n$out:", "", 32},
		"half a warp shuffles":         {"@%p1 bra $out;\nshfl.sync.bfly.b32 %r3, %r1, 1, 31, -1;\n$out:", "divergent warp", 16},
		"all write one":                {"st.global.u32 [%rd1], %r1;", "race: two threads write", 0},
		"one writes what others read":  {"@%p1 st.global.u32 [%rd1], %r1;\nld.global.u32 %r3, [%rd1];", "race: a thread reads what another writes", 1},
		"others read, then one writes": {"ld.global.u32 %r3, [%rd1];\n@%p1 st.global.u32 [%rd1], %r1;", "race: a thread reads what another writes", 1},
		"with a barrier between":       {"@%p1 st.shared.u32 [few], %r1;\nbar.sync 0;\nld.shared.u32 %r3, [few];", "", 1},
		"without one":                  {"@%p1 st.shared.u32 [few], %r1;\nld.shared.u32 %r3, [few];", "race: a thread reads what another writes", 1},
		"a barrier, but no turns":      {"bar.sync 0;\nst.shared.u32 [few], %r1;", "race: two threads write", 0},
		"a shuffle orders no memory":   {"@%p1 st.shared.u32 [few], %r1;\nshfl.sync.bfly.b32 %r3, %r1, 1, 31, -1;\n@%p1 bra $out;\nld.shared.u32 %r3, [few];\n$out:", "race: a thread reads what another writes", 1},
		"a barrier of the warp does":   {"@%p1 st.shared.u32 [few], %r1;\nbar.warp.sync -1;\nsetp.ge.s32 %p2, %r1, 32;\n@%p2 bra $out;\nld.shared.u32 %r3, [few];\n$out:", "", 1},
		"no end":                       {"$again:\nbra $again;", "does not end", 0},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(module(c.body))
			if err != nil {
				t.Fatal(err)
			}
			var memory Memory
			x := memory.Alloc("x", 4*elements)
			_, err = m.Kernels["f"].Launch(&memory, 1, threads, 100_000, x, uint64(c.n))
			if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("error is %v, want one that says %q", err, c.fault)
			}
		})
	}
}

// Two blocks run at any time: what one writes no other may touch.
func TestRacesOfBlocks(t *testing.T) {
	for body, fault := range map[string]string{
		"@%p1 st.global.u32 [%rd1], %r1;": "race: two threads write",
		"@%p1 ld.global.u32 %r3, [%rd1];": "",
	} {
		m, err := Parse(module(body))
		if err != nil {
			t.Fatal(err)
		}
		var memory Memory
		x := memory.Alloc("x", 4)
		if _, err := m.Kernels["f"].Launch(&memory, 2, 32, 0, x, 1); !strings.Contains(fmt.Sprint(err), fault) || err == nil != (fault == "") {
			t.Errorf("%s: error is %v, want one that says %q", body, err, fault)
		}
	}
}

// Instructions that the interpreter does not know are refused when they are read:
// atomics among them, so that no sum of floats depends on who comes first.
func TestUnknownInstructions(t *testing.T) {
	for _, body := range []string{"atom.global.add.f32 %f1, [%rd1], %f2;", "red.global.add.f32 [%rd1], %f2;", "bar.sync 1;", "bra $nowhere;", "ld.volatile.global.u32 %r3, [%rd1];"} {
		if _, err := Parse(module(body)); err == nil || !strings.Contains(err.Error(), body[:3]) {
			t.Errorf("%s: error is %v", body, err)
		}
	}
}
