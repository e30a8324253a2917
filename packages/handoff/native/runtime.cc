// The functions of the C++ library that this module uses. With them it needs none at run time, and loads on any system whose C library is
// glibc 2.27 or newer. The module is compiled without exceptions: where the library would throw, the process aborts.

#include <stdlib.h>

#include <new>

void* operator new(size_t size) {
  void* memory = malloc(size == 0 ? 1 : size);
  if (memory == nullptr) abort();
  return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

namespace std {
void __throw_bad_alloc() { abort(); }
void __throw_bad_array_new_length() { abort(); }
void __throw_length_error(const char*) { abort(); }
void __throw_logic_error(const char*) { abort(); }
}  // namespace std

// glibc sets it from 2.32 on: reference counts are not atomic in a process of one thread. Node has several.
extern "C" char __libc_single_threaded = 0;
