// Node-API and libuv in fewer words: arguments, callbacks, polls and timers.
//
// Built against Node-API 8 and libuv's stable ABI: one build serves Node 20 to 26. Linux only.

#pragma once

#define NAPI_VERSION 8
#include <errno.h>
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <memory>
#include <string>

namespace handoff {

template <size_t N>
struct Args {
  napi_value at[N];
  size_t count = N;
  Args(napi_env env, napi_callback_info info) { napi_get_cb_info(env, info, &count, at, nullptr, nullptr); }
};

inline int32_t toInt(napi_env env, napi_value value) {
  int32_t out = 0;
  napi_get_value_int32(env, value, &out);
  return out;
}

inline bool toBool(napi_env env, napi_value value) {
  bool out = false;
  napi_get_value_bool(env, value, &out);
  return out;
}

inline std::string toString(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string out(length, '\0');
  napi_get_value_string_utf8(env, value, out.data(), length + 1, &length);
  return out;
}

template <typename T>
struct Span {
  T* data = nullptr;
  size_t length = 0;  // in elements of the typed array
};

// The memory of a typed array. Empty when `value` is none.
template <typename T>
Span<T> toSpan(napi_env env, napi_value value) {
  Span<T> out;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, nullptr, &out.length, &data, nullptr, nullptr) != napi_ok) return {};
  out.data = static_cast<T*>(data);
  return out;
}

inline napi_value fromInt(napi_env env, int32_t value) {
  napi_value out;
  napi_create_int32(env, value, &out);
  return out;
}

inline napi_value fromBool(napi_env env, bool value) {
  napi_value out;
  napi_get_boolean(env, value, &out);
  return out;
}

// Throws an Error with Node's code for `error` (EADDRINUSE, ...) and the name of the system call.
inline napi_value throwSystemError(napi_env env, int error, const char* syscall) {
  std::string message = std::string(syscall) + " " + uv_err_name(-error) + ": " + uv_strerror(-error);
  napi_throw_error(env, uv_err_name(-error), message.c_str());
  return nullptr;
}

inline void setNamed(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

// A JavaScript function that the event loop calls. Node-API needs an object as receiver; without one the call fails silently.
class Callback {
 public:
  Callback(napi_env env, napi_value receiver, napi_value function) : env_(env) {
    napi_create_reference(env, receiver, 1, &receiver_);
    napi_create_reference(env, function, 1, &function_);
    napi_value name;
    napi_create_string_utf8(env, "switchyard", NAPI_AUTO_LENGTH, &name);
    napi_async_init(env, receiver, name, &context_);
  }
  ~Callback() {
    napi_async_destroy(env_, context_);
    napi_delete_reference(env_, receiver_);
    napi_delete_reference(env_, function_);
  }
  template <size_t N>
  void call(const int32_t (&values)[N]) {
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    napi_value receiver, function, arguments[N];
    napi_get_reference_value(env_, receiver_, &receiver);
    napi_get_reference_value(env_, function_, &function);
    for (size_t i = 0; i < N; i++) napi_create_int32(env_, values[i], &arguments[i]);
    if (napi_make_callback(env_, context_, receiver, function, N, arguments, nullptr) == napi_pending_exception) {
      napi_value error;
      napi_get_and_clear_last_exception(env_, &error);
      napi_fatal_exception(env_, error);
    }
    napi_close_handle_scope(env_, scope);
  }

 private:
  napi_env env_;
  napi_ref receiver_, function_;
  napi_async_context context_;
};

// One uv_poll and its owner. It is freed when libuv has closed it.
struct Poll {
  uv_poll_t handle;
  void* owner;
  // nullptr with errno: the kernel cannot watch this descriptor, or the user has reached fs.epoll.max_user_watches.
  static Poll* open(uv_loop_t* loop, int fd, void* owner) {
    auto poll = std::make_unique<Poll>();
    int failure = uv_poll_init(loop, &poll->handle, fd);
    if (failure != 0) {
      errno = -failure;
      return nullptr;
    }
    poll->owner = owner;
    poll->handle.data = poll.get();
    return poll.release();
  }
  void close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* closed) { delete static_cast<Poll*>(closed->data); });
  }
};

// One uv_timer and its owner. It does not keep the process alive.
struct Timer {
  uv_timer_t handle;
  void* owner;
  static Timer* open(uv_loop_t* loop, void* owner) {
    Timer* timer = new Timer;
    timer->owner = owner;
    timer->handle.data = timer;
    uv_timer_init(loop, &timer->handle);
    uv_unref(reinterpret_cast<uv_handle_t*>(&timer->handle));
    return timer;
  }
  void close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* closed) { delete static_cast<Timer*>(closed->data); });
  }
};

inline uv_loop_t* loopOf(napi_env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  return loop;
}

// The highest descriptor seen. The kernel gives out the lowest free number, so the numbers above are free, except for a few opened elsewhere.
inline int highestDescriptor = 0;

inline void recordDescriptor(int fd) {
  if (fd > highestDescriptor) highestDescriptor = fd;
}

}  // namespace handoff
