// SPDX-License-Identifier: Apache-2.0
#include "bind/target.h"

#include <nanobind/stl/string.h>

#include "bind/convert.h"
#include "bind/model/raise.h"
#include "devices/block.h"
#include "devices/net.h"
#include "devices/pci.h"

namespace nb = nanobind;

namespace plait {
namespace {

// Nothing is mapped there: it only tells places in a model's source from other numbers.
constexpr uintptr_t kModelBase = uintptr_t{1} << 46;

template <typename T>
T get(const nb::dict& object, const char* key) {
  return nb::cast<T>(object[key]);
}

PyObject* method(const nb::dict& object, const char* key) {
  const nb::object found = object[key];
  return found.is_none() ? nullptr : Py_NewRef(found.ptr());
}

}  // namespace

// Never destroyed: loaded targets point into it, and a process that ends needs no tidy machine.
Machine& machine() {
  static auto* instance = [] {
    auto* made = new Machine(process_hot());
    made->io().set_peripheral(DeviceKind::kBlock, new virtio::Pci(*new virtio::Block));
    made->io().set_peripheral(DeviceKind::kNet, new virtio::Pci(*new virtio::Net));
    return made;
  }();
  return *instance;
}

std::mutex& running() {
  static std::mutex mutex;
  return mutex;
}

void Target::leave() {
  std::lock_guard lock(running());
  if (loaded_ != this) return;
  machine().set_target(TargetImage{});
  loaded_ = nullptr;
}

void Target::use() {
  if (loaded_ != this) machine().set_target(image());
  loaded_ = this;
  machine().set_thread_locals(thread_locals());
  if (runtime()) runtime()->activate(image().load_base);
}

nb::dict NativeModule::info() const { return declaration_to_python(declaration(), native_.load_base()); }

nb::dict ModelTarget::info() const { return declaration_to_python(declaration_, load_base()); }

const char* ModelTarget::keep(const nb::handle& text) {
  texts_.push_back(std::make_unique<std::string>(nb::cast<std::string>(text)));
  return texts_.back()->c_str();
}

ModelTarget::ModelTarget(nb::dict object, NativeModule* native) : native_(native) {
  const uintptr_t globals = machine().memory().globals();
  image_ = native ? native->image() : TargetImage{};
  image_.has_model = true;
  image_.globals_size = get<size_t>(object, "globals_size");
  if (image_.globals_size > Memory::kGlobalsMax) throw nb::value_error("the model declares more than 4 MiB of globals");
  if (!native) image_.load_base = kModelBase;
  for (nb::handle item : get<nb::list>(object, "size_classes")) classes_.push_back(nb::cast<size_t>(item));
  classes_.push_back(0);
  for (nb::handle item : get<nb::list>(object, "knobs")) {
    const auto knob = nb::cast<nb::dict>(item);
    knobs_.push_back({keep(knob["name"]), reinterpret_cast<uint64_t*>(globals + get<size_t>(knob, "offset")),
                      get<uint64_t>(knob, "min"), get<uint64_t>(knob, "max"), get<uint64_t>(knob, "standard"),
                      get<uint64_t>(knob, "real"), keep(knob["help"])});
  }
  knobs_.push_back({});
  for (nb::handle item : get<nb::list>(object, "page_fields")) {
    const auto field = nb::cast<nb::dict>(item);
    fields_.push_back({keep(field["name"]), get<uint32_t>(field, "offset"), get<uint32_t>(field, "size")});
  }
  fields_.push_back({});
  for (nb::handle item : get<nb::list>(object, "state_names")) {
    const auto state = nb::cast<nb::dict>(item);
    states_.push_back({keep(state["name"]), reinterpret_cast<const void*>(globals + get<size_t>(state, "offset")),
                       get<uint32_t>(state, "stride"), get<uint32_t>(state, "count")});
  }
  states_.push_back({});

  declare(object);
  declaration_ = model_;
  if (native) {
    declaration_.alloc = native->declaration().alloc;
    declaration_.free = native->declaration().free;
  }
  image_.declaration = &declaration_;
  image_.model = &model_;
  make_runtime(object);
}

void ModelTarget::declare(const nb::dict& object) {
  model_.abi = PLAIT_TARGET_ABI;
  model_.init = model::Runtime::init;
  model_.alloc = model::Runtime::alloc;
  model_.free = model::Runtime::free;
  if (!nb::object(object["check"]).is_none()) model_.check = model::Runtime::check;
  model_.size_min = get<size_t>(object, "size_min");
  model_.size_max = get<size_t>(object, "size_max");
  model_.size_classes = classes_.size() > 1 ? classes_.data() : nullptr;
  model_.alignment = get<size_t>(object, "alignment");
  model_.contexts = get<uint32_t>(object, "contexts");
  model_.cpus_max = get<uint32_t>(object, "cpus_max");
  model_.refuses = get<uint32_t>(object, "refuses");
  model_.deferred_bound_plus_1 = get<uint64_t>(object, "deferred_bound_plus_1");
  model_.page_size_small = get<size_t>(object, "page_size_small");
  model_.page_size_real = get<size_t>(object, "page_size_real");
  model_.knobs = knobs_.data();
  model_.page_fields = fields_.data();
  model_.state_names = states_.data();
}

void ModelTarget::make_runtime(const nb::dict& object) {
  std::vector<model::Runtime::Initial> initial;
  for (nb::handle item : get<nb::list>(object, "initial")) {
    const auto pair = nb::cast<nb::tuple>(item);
    initial.push_back({nb::cast<size_t>(pair[0]), nb::cast<uint64_t>(pair[1])});
  }
  const model::Runtime::Methods methods{method(object, "init"),  method(object, "alloc"), method(object, "free"),
                                        method(object, "check"), method(object, "cpu"),   method(object, "heap")};
  runtime_ = std::make_unique<model::Runtime>(machine(), methods, std::move(initial));
  for (nb::handle item : get<nb::list>(object, "codes")) {
    const auto pair = nb::cast<nb::tuple>(item);
    std::vector<uint32_t> places;
    for (nb::handle place : nb::cast<nb::list>(pair[1])) places.push_back(nb::cast<uint32_t>(place));
    runtime_->sites().add(nb::object(pair[0]).ptr(), std::move(places));
  }
  runtime_->sites().index();
  image_.over = model::Runtime::over;
  image_.over_argument = runtime_.get();
}

namespace model {

bool add_types(PyObject* module) { return add_places(module) && add_steps(module) && add_exceptions(module); }

}  // namespace model

}  // namespace plait
