package pruning

import (
	"context"

	"spotlighter/experiments"
)

// Accuracy is a method with pruning on the cells of an experiment, the mean over
// its data sets and seeds, in percent.
type Accuracy struct {
	Method          string
	Base, Novel, HM float64
	OnObject        float64 // of the three best kept tokens; 0 where none are kept or no object is known
}

// Accuracies runs the cells of an experiment that have no result yet.
func Accuracies(ctx context.Context, c experiments.Config, say func(share float64)) ([]Accuracy, error) {
	lab, err := experiments.NewLab(c)
	if err != nil {
		return nil, err
	}
	cells := c.Cells()
	sums, n := map[string]*Accuracy{}, float64(len(cells)/len(c.Method))
	for i, cell := range cells {
		res, _, _, err := lab.RunCell(ctx, cell, func(st experiments.Step) {
			say((float64(i) + st.Done) / float64(len(cells)))
		})
		if err != nil {
			return nil, err
		}
		a := sums[res.Method]
		if a == nil {
			a = &Accuracy{Method: res.Method}
			sums[res.Method] = a
		}
		a.Base, a.Novel, a.HM = a.Base+res.Base/n, a.Novel+res.Novel/n, a.HM+res.HM/n
		if res.OnObject != nil {
			a.OnObject += res.OnObject.Top3 / n
		}
	}
	var list []Accuracy
	for _, m := range c.Method {
		list = append(list, *sums[m])
	}
	return list, nil
}
