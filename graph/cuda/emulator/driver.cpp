// An emulated libcuda.so.1: what package cuda calls of NVIDIA's driver, with the
// host's memory and the host build of the kernels.
//
// Memory ends at a page that cannot be touched and begins as NaNs. A kernel is
// found only if the PTX that was loaded declares it with parameters of the sizes
// that its host build has. Every function wants the context of its thread.
//
// The environment changes the machine: EMULATOR_CARDS (1), EMULATOR_MEMORY (bytes
// a card, 2 GiB), EMULATOR_CAPABILITY (8.0), EMULATOR_INIT (0, what cuInit returns),
// EMULATOR_LOG (a file that each call is written to).
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <utility>
#include <vector>

#include "blocks.h"

#define SPOTLIGHTER_HOST
#include "../kernels/src/base.cu"
#include "../kernels/src/tensor.cu"

#define API extern "C" __attribute__((visibility("default"))) int

enum {
  SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201, NO_BINARY = 209, INVALID_PTX = 218, INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700,
  LAUNCH_FAILED = 719,
};

// The kernels, with the sizes of their parameters.
template <class... A, size_t... I>
static void unpack(void (*f)(A...), void **p, std::index_sequence<I...>) { f(*(A *)p[I]...); }
template <auto F> struct Adapter;
template <class... A, void (*F)(A...)> struct Adapter<F> {
  static void call(void **p) { unpack<A...>(F, p, std::index_sequence_for<A...>{}); }
  static std::vector<int> sizes() { return {(int)sizeof(A)...}; }
};
struct Kernel {
  const char *name;
  Call call;
  std::vector<int> sizes;
};
#define K(name) {#name, Adapter<&name>::call, Adapter<&name>::sizes()},
static Kernel kernels[] = {
#include "kernels.inc"
};

struct Context {
  int card;
  int broken = 0; // the error that every call returns after a kernel failed
};
struct Module { std::string ptx; };

static std::mutex mutex;
static std::map<uint64_t, size_t> pieces; // of memory, by address
static std::map<int, size_t> used;        // by card
static thread_local Context *context;

static long setting(const char *name, long otherwise) {
  const char *s = getenv(name);
  return s && *s ? atol(s) : otherwise;
}

static void note(const char *call, long long n) {
  static FILE *file = getenv("EMULATOR_LOG") ? fopen(getenv("EMULATOR_LOG"), "a") : nullptr;
  if (file) {
    fprintf(file, "%s %lld\n", call, n);
    fflush(file);
  }
}

#define WANT_CONTEXT \
  if (!context) return INVALID_CONTEXT; \
  if (context->broken) return context->broken

static bool inside(uint64_t p, size_t n) {
  std::lock_guard<std::mutex> guard(mutex);
  auto it = pieces.upper_bound(p);
  if (it == pieces.begin()) return false;
  --it;
  return p + n <= it->first + it->second;
}

// What the emulated cuBLAS asks.
API emulator_inside(uint64_t p, uint64_t n) { return inside(p, n); }
extern "C" __attribute__((visibility("default"))) void emulator_note(const char *call, long long n) { note(call, n); }

API cuInit(unsigned) { return (int)setting("EMULATOR_INIT", 0); }
API cuDriverGetVersion(int *v) { *v = 12040; return SUCCESS; }
API cuDeviceGetCount(int *n) { *n = (int)setting("EMULATOR_CARDS", 1); return SUCCESS; }
API cuDeviceGet(int *d, int i) {
  if (i < 0 || i >= setting("EMULATOR_CARDS", 1)) return INVALID_DEVICE;
  *d = i;
  return SUCCESS;
}
API cuDeviceGetName(char *s, int n, int) { snprintf(s, n, "emulated card"); return SUCCESS; }
API cuDeviceTotalMem_v2(size_t *n, int) { *n = setting("EMULATOR_MEMORY", 2l << 30); return SUCCESS; }
static void capability(int *major, int *minor) {
  const char *s = getenv("EMULATOR_CAPABILITY");
  *major = 8, *minor = 0;
  if (s) sscanf(s, "%d.%d", major, minor);
}
API cuDeviceGetAttribute(int *v, int attribute, int) {
  int major, minor;
  capability(&major, &minor);
  switch (attribute) {
  case 75: *v = major; return SUCCESS;
  case 76: *v = minor; return SUCCESS;
  }
  return INVALID_VALUE;
}

API cuCtxCreate_v2(Context **c, unsigned, int card) {
  context = *c = new Context{card};
  return SUCCESS;
}
API cuCtxDestroy_v2(Context *c) {
  if (context == c) context = nullptr;
  delete c;
  return SUCCESS;
}
API cuCtxSetCurrent(Context *c) { context = c; return SUCCESS; }
API cuCtxGetCurrent(Context **c) { *c = context; return SUCCESS; }
API cuCtxSynchronize() { WANT_CONTEXT; return SUCCESS; }

API cuMemGetInfo_v2(size_t *free, size_t *total) {
  WANT_CONTEXT;
  std::lock_guard<std::mutex> guard(mutex);
  *total = setting("EMULATOR_MEMORY", 2l << 30);
  *free = *total - used[context->card];
  return SUCCESS;
}

static const size_t page = 4096;

API cuMemAlloc_v2(uint64_t *p, size_t n) {
  WANT_CONTEXT;
  if (n == 0) return INVALID_VALUE;
  std::lock_guard<std::mutex> guard(mutex);
  if (used[context->card] + n > (size_t)setting("EMULATOR_MEMORY", 2l << 30)) return OUT_OF_MEMORY;
  size_t round = (n + page - 1) / page * page;
  char *m = (char *)mmap(nullptr, round + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) return OUT_OF_MEMORY;
  mprotect(m + page, round, PROT_READ | PROT_WRITE);
  memset(m + page, 0xff, round);
  *p = (uint64_t)(m + page + (round - n) / 256 * 256); // as near to the end as alignment lets it
  pieces[*p] = n;
  used[context->card] += n;
  note("alloc", n);
  return SUCCESS;
}
API cuMemFree_v2(uint64_t p) {
  WANT_CONTEXT;
  std::lock_guard<std::mutex> guard(mutex);
  auto it = pieces.find(p);
  if (it == pieces.end()) return INVALID_VALUE;
  size_t n = it->second, round = (n + page - 1) / page * page;
  munmap((char *)(p & ~(page - 1)) - page, round + 2 * page);
  used[context->card] -= n;
  pieces.erase(it);
  note("free", n);
  return SUCCESS;
}
API cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t n) {
  WANT_CONTEXT;
  if (!inside(to, n)) return INVALID_VALUE;
  memcpy((void *)to, from, n);
  note("upload", n);
  return SUCCESS;
}
API cuMemcpyDtoH_v2(void *to, uint64_t from, size_t n) {
  WANT_CONTEXT;
  if (!inside(from, n)) return INVALID_VALUE;
  memcpy(to, (void *)from, n);
  note("download", n);
  return SUCCESS;
}
API cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t n) {
  WANT_CONTEXT;
  if (!inside(to, n) || !inside(from, n)) return INVALID_VALUE;
  memmove((void *)to, (void *)from, n);
  return SUCCESS;
}
API cuMemsetD32_v2(uint64_t to, unsigned v, size_t n) {
  WANT_CONTEXT;
  if (!inside(to, 4 * n)) return INVALID_VALUE;
  for (size_t i = 0; i < n; i++) ((unsigned *)to)[i] = v;
  return SUCCESS;
}

API cuModuleLoadData(Module **m, const char *image) {
  WANT_CONTEXT;
  if (!strstr(image, ".version")) return INVALID_PTX;
  int sm = 0, major, minor;
  const char *target = strstr(image, ".target sm_");
  if (!target || sscanf(target, ".target sm_%d", &sm) != 1) return INVALID_PTX;
  capability(&major, &minor);
  if (sm > 10 * major + minor) return NO_BINARY;
  *m = new Module{image};
  return SUCCESS;
}
API cuModuleUnload(Module *m) { delete m; return SUCCESS; }

// The sizes of the parameters that the PTX declares; false if it has no such kernel.
static bool declared(const std::string &ptx, const char *name, std::vector<int> *sizes) {
  size_t at = ptx.find(std::string(".entry ") + name + "(");
  if (at == std::string::npos) return false;
  std::string list = ptx.substr(at, ptx.find(')', at) - at);
  for (size_t q = 0; (q = list.find(".param .", q)) != std::string::npos; q++)
    sizes->push_back(atoi(list.c_str() + q + strlen(".param .") + 1) / 8);
  return true;
}

API cuModuleGetFunction(Kernel **f, Module *m, const char *name) {
  WANT_CONTEXT;
  std::vector<int> sizes;
  if (!declared(m->ptx, name, &sizes)) return NOT_FOUND;
  for (auto &k : kernels) {
    if (strcmp(k.name, name) != 0) continue;
    if (k.sizes != sizes) {
      fprintf(stderr, "emulator: kernel %s has other parameters in the PTX than in the host build\n", name);
      return INVALID_IMAGE;
    }
    *f = &k;
    return SUCCESS;
  }
  return NOT_FOUND;
}

// A kernel that touches what is no memory of the card comes back here.
static thread_local sigjmp_buf escape;
static thread_local bool launching;
static struct sigaction previous;

static void fault(int number, siginfo_t *info, void *where) {
  if (launching) siglongjmp(escape, 1);
  if (previous.sa_flags & SA_SIGINFO)
    previous.sa_sigaction(number, info, where);
  else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
    previous.sa_handler(number);
  else
    abort();
}

API cuLaunchKernel(Kernel *k, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                   void *stream, void **args, void **extra) {
  WANT_CONTEXT;
  if (!k) return INVALID_HANDLE;
  if (gx == 0 || bx == 0 || bx > 1024 || gy != 1 || gz != 1 || by != 1 || bz != 1 || shared || stream || extra) return INVALID_VALUE;
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &previous);
  });
  note(k->name, gx);
  static std::mutex launch;
  std::lock_guard<std::mutex> guard(launch);
  launching = true;
  if (sigsetjmp(escape, 1)) {
    launching = false;
    fprintf(stderr, "emulator: kernel %s, grid %u, block %u: outside of the card's memory\n", k->name, gx, bx);
    return context->broken = ILLEGAL_ADDRESS;
  }
  Fault f = run_blocks(k->call, args, (int)gx, (int)bx);
  launching = false;
  if (f.what) {
    fprintf(stderr, "emulator: kernel %s, block %d, thread %d: %s\n", k->name, f.block, f.thread, f.what);
    return context->broken = LAUNCH_FAILED;
  }
  return SUCCESS;
}
