package experiments

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"spotlighter/optim"
)

// withoutFixed leaves out the variables whose names match a pattern.
func withoutFixed(groups []optim.Group, fixed []string) ([]optim.Group, error) {
	var names []string // of all variables
	used := make([]bool, len(fixed))
	var left []optim.Group
	for _, g := range groups {
		vars := g.Vars
		g.Vars = nil
		for _, v := range vars {
			names = append(names, v.Name)
			stays := false
			for i, pattern := range fixed {
				if ok, _ := path.Match(pattern, v.Name); ok { // the patterns are valid
					stays, used[i] = true, true
				}
			}
			if !stays {
				g.Vars = append(g.Vars, v)
			}
		}
		if len(g.Vars) > 0 {
			left = append(left, g)
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, fmt.Errorf("train.fixed: %q names none of %s", fixed[i], strings.Join(names, ", "))
	}
	if len(left) == 0 && len(fixed) == 0 {
		return nil, errors.New("nothing to learn: the method's Outputs.Groups hold no variable")
	}
	if len(left) == 0 {
		return nil, fmt.Errorf("train.fixed: %s leave nothing to learn", strings.Join(fixed, ", "))
	}
	return left, nil
}
