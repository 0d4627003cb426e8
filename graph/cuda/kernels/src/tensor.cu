// The module of tensor cores: compiled for sm_80.
#include "tensor.cuh"
