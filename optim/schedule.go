package optim

import "math"

// Cosine falls from the base rate to zero along half a cosine, after a constant
// warm-up: the schedule of CoOp's trainers, which acts once an epoch, and, without
// warm-up and asked for parts of epochs, that of PyTorch over all steps.
//
//	lr(e) = WarmupLR                                       for e < Warmup
//	lr(e) = LR/2 (1 + cos(pi (e - Warmup)/Epochs))         after
//
// The cosine keeps the full number of epochs, so it does not quite reach zero.
type Cosine struct {
	LR       float64
	Epochs   int
	Warmup   int // epochs
	WarmupLR float64
}

// At is the learning rate at epoch e, counted from 0.
func (c Cosine) At(e float64) float64 {
	if e < float64(c.Warmup) {
		return c.WarmupLR
	}
	return c.LR / 2 * (1 + math.Cos(math.Pi*(e-float64(c.Warmup))/float64(c.Epochs)))
}

// LinearCosine rises linearly over Warmup steps and then falls along half a
// cosine to zero at step Steps: the schedule of pretraining.
type LinearCosine struct {
	LR            float64
	Steps, Warmup int
}

// At is the learning rate of step i, counted from 0.
func (c LinearCosine) At(i int) float64 {
	rise := min(1, float64(i+1)/float64(max(c.Warmup, 1)))
	return c.LR * rise * (1 + math.Cos(math.Pi*float64(i)/float64(c.Steps))) / 2
}
