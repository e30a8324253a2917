// Memory that two processes share, by a file without a name. The process that makes it passes the descriptor on at the start of the other one.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "functions.h"

namespace handoff {
namespace {

// The whole file as an ArrayBuffer, which keeps the mapping alive. nullptr: an error is thrown.
napi_value mapFile(napi_env env, int file, size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return throwSystemError(env, errno, "mmap");
  napi_value out;
  napi_create_external_arraybuffer(
      env, memory, bytes, [](napi_env, void* data, void* hint) { munmap(data, reinterpret_cast<size_t>(hint)); }, reinterpret_cast<void*>(bytes), &out);
  return out;
}

}  // namespace

// shareMemory(bytes) -> { fd, memory: ArrayBuffer }. The memory is zero; the kernel provides a page when it is first used.
napi_value shareMemory(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  int bytes = toInt(env, args.at[0]);
  int file = memfd_create("switchyard-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return throwSystemError(env, errno, "memfd_create");
  recordDescriptor(file);
  // The other process has the file too. If it shortened the file, the next access would kill this process with SIGBUS.
  if (ftruncate(file, bytes) != 0 || fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    int error = errno;
    close(file);
    return throwSystemError(env, error, "memfd_create");
  }
  napi_value memory = mapFile(env, file, static_cast<size_t>(bytes));
  if (memory == nullptr) {
    close(file);
    return nullptr;
  }
  napi_value out;
  napi_create_object(env, &out);
  setNamed(env, out, "fd", fromInt(env, file));
  setNamed(env, out, "memory", memory);
  return out;
}

// mapMemory(fd, bytes) -> ArrayBuffer: what another process has shared. Closes the descriptor.
napi_value mapMemory(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  int file = toInt(env, args.at[0]);
  napi_value out = mapFile(env, file, static_cast<size_t>(toInt(env, args.at[1])));
  close(file);
  return out;
}

}  // namespace handoff
