// SPDX-License-Identifier: Apache-2.0
//
// Targets as Python holds them: a shared object, a model, or a model with native code above it. The process has one
// machine; whoever runs something on it holds it until that is over, and its own target is put in place first.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bind/model/runtime.h"
#include "tsan/binding.h"

namespace plait {

Machine& machine();
std::mutex& running();

class Target {
 public:
  Target() = default;
  virtual ~Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  virtual const plait_target& declaration() const = 0;
  virtual nanobind::dict info() const = 0;
  bool has_driver() { return image().driver != nullptr; }
  DeviceKind device() {  // that its driver is for
    return !has_driver() ? DeviceKind::kNone : image().driver->device == PLAIT_DEVICE_NET ? DeviceKind::kNet : DeviceKind::kBlock;
  }
  void use();  // with running() held
  // Native code runs with the interpreter's lock released; a model needs it.
  virtual model::Runtime* runtime() { return nullptr; }

 protected:
  void leave();  // in destructors, before what the machine points into goes away
  virtual const TargetImage& image() = 0;
  virtual AddressRange thread_locals() const { return {}; }

 private:
  static inline Target* loaded_ = nullptr;
};

class NativeModule final : public Target {
 public:
  explicit NativeModule(const std::string& path) : native_(path, bind_runtime(machine())), image_(image_of(native_)) {}
  ~NativeModule() override { leave(); }
  const plait_target& declaration() const override { return native_.declaration(); }
  nanobind::dict info() const override;
  const TargetImage& image() override { return image_; }
  AddressRange thread_locals() const override { return native_.tls(); }  // Python may call from any thread

 private:
  NativeTarget native_;
  TargetImage image_;
};

class ModelTarget final : public Target {
 public:
  // declaration: as plait.model makes it. native: code above the model, or null; outlives this.
  ModelTarget(nanobind::dict declaration, NativeModule* native);
  ~ModelTarget() override { leave(); }
  const plait_target& declaration() const override { return declaration_; }
  nanobind::dict info() const override;
  model::Runtime* runtime() override { return runtime_.get(); }

 protected:
  const TargetImage& image() override { return image_; }
  AddressRange thread_locals() const override { return native_ ? native_->thread_locals() : AddressRange{}; }

 private:
  void declare(const nanobind::dict& object);
  void make_runtime(const nanobind::dict& object);
  const char* keep(const nanobind::handle& text);
  uintptr_t load_base() const { return machine().memory().globals() - image_.load_size; }  // of state names

  NativeModule* native_;
  plait_target declaration_{};
  plait_target model_{};  // beneath native code
  TargetImage image_;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<size_t> classes_;
  std::vector<plait_knob> knobs_;
  std::vector<plait_page_field> fields_;
  std::vector<plait_state_name> states_;
  std::unique_ptr<model::Runtime> runtime_;
};

// Runs `body` on the machine with this target in place. What interrupted a model there is raised afterwards.
template <typename Body>
void run_on(Target& target, Body body) {
  std::unique_lock lock(running(), std::defer_lock);
  {
    nanobind::gil_scoped_release released;
    lock.lock();
    if (!target.runtime()) {
      target.use();
      body();
    }
  }
  if (!target.runtime()) return;
  target.use();
  body();
  if (PyObject* interrupt = target.runtime()->take_interrupt()) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(interrupt)), interrupt);
    Py_DECREF(interrupt);
    nanobind::raise_python_error();
  }
}

namespace model {
bool add_types(PyObject* module);
}

}  // namespace plait
