// The module for every card: compiled for sm_70.
#include "elementwise.cuh"
#include "reduce.cuh"
#include "rows.cuh"
#include "gather.cuh"
#include "bank.cuh"
#include "gemm.cuh"
#include "attention.cuh"
