//go:build cuda_backend

// The functions of cuBLAS that are called, from where dlopen finds them.

#include "calls.h"

#include <dlfcn.h>
#include <stddef.h>

typedef int (*property_function)(int type, int *value);

static struct {
	property_function property;
	int (*create)(void **handle);
	int (*destroy)(void *handle);
	int (*workspace)(void *handle, void *memory, size_t bytes);
	int (*multiply)(void *handle, int op_a, int op_b, int m, int n, int k, const void *alpha, const void *a, int type_a, int lda,
			long long stride_a, const void *b, int type_b, int ldb, long long stride_b, const void *beta, void *c, int type_c,
			int ldc, long long stride_c, int batch, int compute, int algorithm);
} cublas;

int blas_open(const char *name, int version[3], const char **why) {
	void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL) {
		*why = dlerror();
		return 0;
	}
#define FIND(field, symbol) \
	if (!(*(void **)&cublas.field = dlsym(lib, symbol))) { \
		*why = "there is no " symbol " in it"; \
		return 0; \
	}
	FIND(property, "cublasGetProperty")
	FIND(create, "cublasCreate_v2")
	FIND(destroy, "cublasDestroy_v2")
	FIND(workspace, "cublasSetWorkspace_v2")
	FIND(multiply, "cublasGemmStridedBatchedEx")
	for (int i = 0; i < 3; i++) // major, minor, patch
		if (cublas.property(i, &version[i]) != 0) {
			*why = "it does not tell its version";
			return 0;
		}
	return 1;
}

int blas_create(void **handle, unsigned long long workspace, size_t bytes) {
	int status = cublas.create(handle);
	if (status == 0) {
		status = cublas.workspace(*handle, (void *)workspace, bytes);
		if (status != 0)
			cublas.destroy(*handle);
	}
	return status;
}

int blas_destroy(void *handle) { return cublas.destroy(handle); }

int blas_multiply(void *handle, int compute, const struct blas_product *p) {
	const float zero = 0;
	// Matrices are in columns there: what we call C is Cᵀ = op(B)ᵀ op(A)ᵀ.
	return cublas.multiply(handle, p->trans_b, p->trans_a, p->n, p->m, p->k, &p->alpha, (void *)p->b, 0, p->ldb, p->stride_b, (void *)p->a, 0,
			       p->lda, p->stride_a, &zero, (void *)p->c, 0, p->ldc, p->stride_c, p->batch, compute, -1);
}
