package release

import (
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/internal/fixture"
	"spotlighter/optim"
)

// Steps of the whole trainer, with the recorded dropout and without:
// losses, choices, gradients, then parameters, momentum, bank and moments. After
// those with dropout, evaluation with the bank at hand and with the first one.
func TestTrainingSteps(t *testing.T) {
	for file, c := range map[string]struct {
		open  func(t *testing.T, name string) fixture.File
		steps int
		mask  func(*pass) *Node
	}{"first_step": {open, 1, replayed}, "train_steps": {openWhole, 5, replayed}, "train_steps_nodropout": {openWhole, 5, undropped}} {
		t.Run(file, func(t *testing.T) {
			x, ref := load(t), c.open(t, file)
			store := x.steps(ref, c.steps, c.mask)
			if file == "train_steps" {
				x.evaluation(store)
			}
		})
	}
}

func (x *reference) steps(ref fixture.File, steps int, mask func(*pass) *Node) *graph.Store {
	t := x.t
	p := x.graph(nil, Default(), mask, true)
	store := p.scope.Store()
	updates, grads := x.trained(p)
	before := map[string]*Node{ // of the step's forward pass
		"logits.global": p.out.Logits, "text.features": p.t, "memory.text_out": p.out.Text, "memory.image_out": p.out.Image,
		"attn_weights_after_dropout": p.out.Attention,
	}
	for name, n := range parts(p.out.Losses) {
		before[name] = n
	}
	outputs := map[string]*Node{"index": p.out.Index, "assignment": p.out.Assignment}
	for name, n := range before {
		outputs[name] = n
	}
	for name, n := range grads {
		outputs["grad."+name] = n
	}
	run := x.compile(p, outputs, updates)
	schedule := optim.Cosine{LR: .002, Epochs: 20, Warmup: 1, WarmupLR: 1e-5}
	for k := 1; k <= steps; k++ {
		lr := float32(schedule.At(float64((k - 1) / 2))) // two batches an epoch
		if want := ref.Tensor(step(k, "lr")).F32[0]; lr != want {
			t.Errorf("step %d: learning rate %v, want %v", k, lr, want)
		}
		dropped := ref.Tensor(step(k, "attn_weights_after_dropout"))
		program := run(map[string]graph.Tensor{"mask": dropped, "lr": graph.Floats([]float32{lr})})
		x.wantInts(ref, step(k, "select.indices"), program.Output("index").Int)
		x.wantInts(ref, step(k, "write.assignment"), program.Output("assignment").Int)
		for name := range before {
			x.want(ref, step(k, name), program.Output(name), "forward."+name)
		}
		for name := range grads {
			got := program.Output("grad." + name)
			x.want(ref, step(k, "grad."+name), got, step(k, "grad."+name))
			if strings.Contains(name, ".query.") || strings.Contains(name, ".key.") {
				for _, g := range got.F32 {
					if g != 0 {
						t.Fatalf("step %d: gradient of %s is %v, want exactly 0", k, name, g)
					}
				}
			}
			x.want(ref, step(k, "param."+name), store.Find(variable(name)).Value, step(k, "param."+name))
			x.want(ref, step(k, "momentum."+name), store.Find("optim."+variable(name)+".velocity").Value, step(k, "mom."+name))
		}
		for _, name := range []string{"mid_image_trans.conv1.1.running_mean", "mid_image_trans.conv1.1.running_var", BankName} {
			x.want(ref, step(k, "buffer."+name), store.Find(variable(name)).Value, step(k, "buf."+name))
		}
		x.wantInts(ref, step(k, "buffer."+batches), []int{int(store.Find(variable(batches)).Value.F32[0])})
	}
	return store
}

func (x *reference) evaluation(store *graph.Store) {
	ref := openWhole(x.t, "eval_after_training")
	for mode, bank := range map[string]graph.Tensor{
		"bank_in_process": store.Find(variable(BankName)).Value,
		"bank_initial":    x.in.Tensor("buffer." + BankName),
	} {
		store.Set(variable(BankName), graph.State, bank)
		p := x.graph(store, Default(), nil, false)
		outputs := map[string]*Node{"logits.global": p.out.Logits, "memory.image_out": p.out.Image, "memory.text_out": p.out.Text}
		program := x.compile(p, outputs, nil)(nil)
		for name := range outputs {
			x.want(ref, "eval_after5."+mode+"."+name, program.Output(name), "forward."+name)
		}
	}
}

// What training leaves in the store is all that a checkpoint holds; it has no
// variable that the reference does not have, but the count of the dropout.
func TestState(t *testing.T) {
	x := load(t)
	p := x.graph(nil, Default(), replayed, true)
	var states []string
	for _, v := range p.scope.Store().Variables() {
		if v.Kind == graph.State {
			states = append(states, strings.TrimPrefix(v.Name, "spotlight."))
		}
	}
	want := []string{"dropout.step", BankName, batches, "mid_image_trans.conv1.1.running_mean", "mid_image_trans.conv1.1.running_var"}
	if !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
}
