//go:build cuda_backend

// What gorgonia.org/cu calls of the driver, each a jump to where spotlighter_driver_open
// found it. The symbols are hidden: a library that is loaded later, such as
// cuBLAS, binds to the driver itself.

#include <dlfcn.h>
#include <stddef.h>

#define FUNCTIONS(X) \
	X(cuArray3DCreate_v2) \
	X(cuArray3DGetDescriptor_v2) \
	X(cuArrayCreate_v2) \
	X(cuArrayDestroy) \
	X(cuArrayGetDescriptor_v2) \
	X(cuCtxCreate_v2) \
	X(cuCtxDestroy_v2) \
	X(cuCtxDisablePeerAccess) \
	X(cuCtxEnablePeerAccess) \
	X(cuCtxGetApiVersion) \
	X(cuCtxGetCacheConfig) \
	X(cuCtxGetCurrent) \
	X(cuCtxGetDevice) \
	X(cuCtxGetFlags) \
	X(cuCtxGetLimit) \
	X(cuCtxGetSharedMemConfig) \
	X(cuCtxGetStreamPriorityRange) \
	X(cuCtxPopCurrent_v2) \
	X(cuCtxPushCurrent_v2) \
	X(cuCtxResetPersistingL2Cache) \
	X(cuCtxSetCacheConfig) \
	X(cuCtxSetCurrent) \
	X(cuCtxSetLimit) \
	X(cuCtxSetSharedMemConfig) \
	X(cuCtxSynchronize) \
	X(cuDeviceCanAccessPeer) \
	X(cuDeviceGet) \
	X(cuDeviceGetAttribute) \
	X(cuDeviceGetCount) \
	X(cuDeviceGetName) \
	X(cuDeviceGetP2PAttribute) \
	X(cuDeviceGetUuid) \
	X(cuDeviceGetUuid_v2) \
	X(cuDevicePrimaryCtxGetState) \
	X(cuDevicePrimaryCtxRelease_v2) \
	X(cuDevicePrimaryCtxReset_v2) \
	X(cuDevicePrimaryCtxRetain) \
	X(cuDevicePrimaryCtxSetFlags_v2) \
	X(cuDeviceTotalMem_v2) \
	X(cuDriverGetVersion) \
	X(cuEventCreate) \
	X(cuEventDestroy_v2) \
	X(cuEventElapsedTime) \
	X(cuEventElapsedTime_v2) \
	X(cuEventQuery) \
	X(cuEventRecord) \
	X(cuEventSynchronize) \
	X(cuFuncGetAttribute) \
	X(cuFuncSetCacheConfig) \
	X(cuFuncSetSharedMemConfig) \
	X(cuGraphAddChildGraphNode) \
	X(cuGraphAddDependencies) \
	X(cuGraphAddEmptyNode) \
	X(cuGraphAddHostNode) \
	X(cuGraphAddKernelNode_v2) \
	X(cuGraphAddMemcpyNode) \
	X(cuGraphAddMemsetNode) \
	X(cuGraphClone) \
	X(cuGraphCreate) \
	X(cuGraphDestroy) \
	X(cuGraphDestroyNode) \
	X(cuGraphExecDestroy) \
	X(cuGraphGetEdges) \
	X(cuLaunchKernel) \
	X(cuLinkAddData_v2) \
	X(cuLinkAddFile_v2) \
	X(cuLinkComplete) \
	X(cuLinkCreate_v2) \
	X(cuLinkDestroy) \
	X(cuMemAdvise) \
	X(cuMemAllocManaged) \
	X(cuMemAllocPitch_v2) \
	X(cuMemAlloc_v2) \
	X(cuMemFreeHost) \
	X(cuMemFree_v2) \
	X(cuMemGetAddressRange_v2) \
	X(cuMemGetInfo_v2) \
	X(cuMemPrefetchAsync) \
	X(cuMemcpy) \
	X(cuMemcpy2DAsync_v2) \
	X(cuMemcpy2DUnaligned_v2) \
	X(cuMemcpy2D_v2) \
	X(cuMemcpy3DAsync_v2) \
	X(cuMemcpy3DPeer) \
	X(cuMemcpy3DPeerAsync) \
	X(cuMemcpy3D_v2) \
	X(cuMemcpyAsync) \
	X(cuMemcpyAtoA_v2) \
	X(cuMemcpyAtoD_v2) \
	X(cuMemcpyAtoHAsync_v2) \
	X(cuMemcpyAtoH_v2) \
	X(cuMemcpyDtoA_v2) \
	X(cuMemcpyDtoDAsync_v2) \
	X(cuMemcpyDtoD_v2) \
	X(cuMemcpyDtoHAsync_v2) \
	X(cuMemcpyDtoH_v2) \
	X(cuMemcpyHtoAAsync_v2) \
	X(cuMemcpyHtoA_v2) \
	X(cuMemcpyHtoDAsync_v2) \
	X(cuMemcpyHtoD_v2) \
	X(cuMemcpyPeer) \
	X(cuMemcpyPeerAsync) \
	X(cuMemsetD16Async) \
	X(cuMemsetD16_v2) \
	X(cuMemsetD2D16Async) \
	X(cuMemsetD2D16_v2) \
	X(cuMemsetD2D32Async) \
	X(cuMemsetD2D32_v2) \
	X(cuMemsetD2D8Async) \
	X(cuMemsetD2D8_v2) \
	X(cuMemsetD32Async) \
	X(cuMemsetD32_v2) \
	X(cuMemsetD8Async) \
	X(cuMemsetD8_v2) \
	X(cuModuleGetFunction) \
	X(cuModuleGetGlobal_v2) \
	X(cuModuleGetSurfRef) \
	X(cuModuleGetTexRef) \
	X(cuModuleLoad) \
	X(cuModuleLoadData) \
	X(cuModuleLoadDataEx) \
	X(cuModuleLoadFatBinary) \
	X(cuModuleUnload) \
	X(cuOccupancyMaxActiveBlocksPerMultiprocessor) \
	X(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags) \
	X(cuPointerGetAttribute) \
	X(cuPointerSetAttribute) \
	X(cuStreamAttachMemAsync) \
	X(cuStreamCreate) \
	X(cuStreamCreateWithPriority) \
	X(cuStreamDestroy_v2) \
	X(cuStreamGetFlags) \
	X(cuStreamGetPriority) \
	X(cuStreamQuery) \
	X(cuStreamSynchronize) \
	X(cuStreamWaitEvent) \
	X(cuStreamWaitValue32_v2) \
	X(cuStreamWriteValue32_v2) \
	X(cuSurfRefGetArray) \
	X(cuSurfRefSetArray) \
	X(cuTexRefGetAddressMode) \
	X(cuTexRefGetAddress_v2) \
	X(cuTexRefGetArray) \
	X(cuTexRefGetBorderColor) \
	X(cuTexRefGetFilterMode) \
	X(cuTexRefGetFlags) \
	X(cuTexRefGetFormat) \
	X(cuTexRefGetMaxAnisotropy) \
	X(cuTexRefSetAddress2D_v3) \
	X(cuTexRefSetAddressMode) \
	X(cuTexRefSetAddress_v2) \
	X(cuTexRefSetArray) \
	X(cuTexRefSetBorderColor) \
	X(cuTexRefSetFilterMode) \
	X(cuTexRefSetFlags) \
	X(cuTexRefSetFormat) \
	X(cuTexRefSetMaxAnisotropy) \
	X(cuTexRefSetMipmapFilterMode) \
	X(cuTexRefSetMipmapLevelBias) \
	X(cuTexRefSetMipmapLevelClamp)

#define NOT_INITIALIZED 3 // CUDA_ERROR_NOT_INITIALIZED
#define NOT_FOUND 500     // CUDA_ERROR_NOT_FOUND

static int not_initialized(void) { return NOT_INITIALIZED; }
static int not_found(void) { return NOT_FOUND; }

#if defined(__x86_64__)
#define JUMP(f) "jmp *slot_" #f "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(f) "adrp x16, slot_" #f "\nldr x16, [x16, :lo12:slot_" #f "]\nbr x16\n"
#else
#error "the CUDA backend is for amd64 and arm64"
#endif

#define THUNK(f) \
	__attribute__((visibility("hidden"), used)) void *slot_##f = not_initialized; \
	__asm__(".pushsection .text\n.globl " #f "\n.hidden " #f "\n.type " #f ", %function\n" #f ":\n" JUMP(f) ".size " #f ", .-" #f "\n.popsection\n");
FUNCTIONS(THUNK)

// cu calls this when the process starts, and ends it on an error.
__attribute__((visibility("hidden"))) int cuInit(unsigned flags) {
	(void)flags;
	return 0;
}

// spotlighter_driver_open loads the driver and initialises it. It returns cuInit's
// result, or -1 and why the library could not be loaded.
__attribute__((visibility("hidden"))) int spotlighter_driver_open(const char **why) {
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL) {
		*why = dlerror();
		return -1;
	}
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(lib, "cuInit");
	if (init == NULL) {
		*why = "libcuda.so.1 has no cuInit";
		return -1;
	}
	int result = init(0);
	if (result != 0)
		return result;
#define FIND(f) \
	slot_##f = dlsym(lib, #f); \
	if (slot_##f == NULL) \
		slot_##f = not_found;
	FUNCTIONS(FIND)
	return 0;
}
