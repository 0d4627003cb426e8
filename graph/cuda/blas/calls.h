#pragma once
#include <stddef.h>

// A product as package kernels has it, of matrices in rows.
struct blas_product {
	unsigned long long a, b, c;
	int m, n, k, lda, ldb, ldc, trans_a, trans_b, batch;
	long long stride_a, stride_b, stride_c;
	float alpha;
};

// blas_open loads the library of that name: 1, or 0 and why not.
int blas_open(const char *name, int version[3], const char **why);

// The others return cuBLAS's status, 0 for success.
int blas_create(void **handle, unsigned long long workspace, size_t bytes);
int blas_destroy(void *handle);
int blas_multiply(void *handle, int compute, const struct blas_product *p);
